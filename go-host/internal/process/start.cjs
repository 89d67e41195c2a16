// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.
"use strict";
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf, __hasOwnProp = Object.prototype.hasOwnProperty;
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from == "object" || typeof from == "function")
    for (let key of __getOwnPropNames(from))
      !__hasOwnProp.call(to, key) && key !== except && __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: !0 }) : target,
  mod
));

// bridge/start.ts
var import_node_module = __toESM(require("node:module"), 1), import_node_path = require("node:path"), { enableCompileCache } = import_node_module.default, { env, execArgv } = process, isWatched = env.NODE_V8_COVERAGE !== void 0 || execArgv.some((arg) => arg.startsWith("--inspect"));
isWatched || enableCompileCache?.((0, import_node_path.join)(__dirname, "compile-cache"));
import_node_module.default.createRequire(__filename)("./worker.cjs");
