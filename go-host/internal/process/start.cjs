// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.
"use strict";

// bridge/start.ts
var import_node_fs = require("node:fs"), import_node_module = require("node:module"), import_node_path = require("node:path"), import_node_vm = require("node:vm"), { env, execArgv, pid } = process, require2 = (0, import_node_module.createRequire)(__filename), program = (0, import_node_path.join)(__dirname, "worker.cjs");
start();
function start() {
  let folder = openCompileCache();
  folder === void 0 ? require2(program) : run((0, import_node_path.join)(folder, "worker-91a2ad58df9cd3cd"));
}
function openCompileCache() {
  if (env.NODE_V8_COVERAGE !== void 0 || execArgv.some((arg) => arg.startsWith("--inspect"))) return;
  let own = (0, import_node_path.join)(__dirname, "compile-cache");
  (0, import_node_module.enableCompileCache)?.(own);
  let used = (0, import_node_module.getCompileCacheDir)?.();
  return used === void 0 ? void 0 : (0, import_node_path.join)(own, (0, import_node_path.basename)(used));
}
function run(keptFile) {
  let source = (0, import_node_fs.readFileSync)(program, "latin1"), script = new import_node_vm.Script(`(function(exports,require,module){${source}
})`, {
    filename: program,
    cachedData: readKept(keptFile)
  }), module2 = { exports: {} };
  script.runInThisContext()(module2.exports, require2, module2), module2.exports.importBy((url) => import(url)), script.cachedDataRejected !== !1 && module2.exports.onceUsed(() => keep(keptFile, script));
}
function readKept(file) {
  try {
    let twice = (0, import_node_fs.readFileSync)(file), half = twice.length / 2, once = twice.subarray(0, half);
    return once.equals(twice.subarray(half)) ? once : void 0;
  } catch {
    return;
  }
}
function keep(file, script) {
  let whole = `${file}.${pid}.tmp`;
  try {
    let data = script.createCachedData();
    (0, import_node_fs.mkdirSync)((0, import_node_path.dirname)(file), { recursive: !0, mode: 448 }), (0, import_node_fs.writeFileSync)(whole, Buffer.concat([data, data]), { mode: 384, flag: "wx" }), (0, import_node_fs.renameSync)(whole, file);
  } catch {
  }
}
