// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.
"use strict";

// bridge/start.ts
var import_node_module = require("node:module"), import_node_path = require("node:path"), { env, execArgv } = process, isWatched = env.NODE_V8_COVERAGE !== void 0 || execArgv.some((arg) => arg.startsWith("--inspect"));
isWatched || (0, import_node_module.enableCompileCache)?.((0, import_node_path.join)(__dirname, "compile-cache"));
(0, import_node_module.createRequire)(__filename)("./worker.cjs");
