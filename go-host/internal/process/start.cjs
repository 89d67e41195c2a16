// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.
"use strict";

// bridge/start.ts
var import_node_fs = require("node:fs"), import_node_module = require("node:module"), import_node_path = require("node:path"), import_node_vm = require("node:vm"), { env, execArgv, hrtime, pid } = process, { apply } = Reflect, { createCachedData } = import_node_vm.Script.prototype, files = { closeSync: import_node_fs.closeSync, openSync: import_node_fs.openSync, renameSync: import_node_fs.renameSync, unlinkSync: import_node_fs.unlinkSync, writeSync: import_node_fs.writeSync }, require2 = (0, import_node_module.createRequire)(__filename), program = (0, import_node_path.join)(__dirname, "worker.cjs");
start();
function start() {
  let folder = openCompileCache();
  folder === void 0 ? require2(program) : run((0, import_node_path.join)(folder, "worker-bcb5277c0defe309"));
}
function openCompileCache() {
  if (!(env.NODE_V8_COVERAGE !== void 0 || execArgv.some((arg) => arg.startsWith("--inspect"))))
    return (0, import_node_module.enableCompileCache)?.((0, import_node_path.join)(__dirname, "compile-cache")), (0, import_node_module.getCompileCacheDir)?.();
}
function run(keptFile) {
  let source = (0, import_node_fs.readFileSync)(program, "latin1"), script = new import_node_vm.Script(
    `(function(exports,require,module,__filename,__dirname){${source}
})`,
    { filename: program, cachedData: readKept(keptFile) }
  ), module2 = { exports: {} };
  script.runInThisContext()(module2.exports, require2, module2, program, (0, import_node_path.dirname)(program)), module2.exports.importBy((url) => import(url)), script.cachedDataRejected !== !1 && keepLater(module2.exports, keptFile, script);
}
function readKept(file) {
  try {
    let twice = (0, import_node_fs.readFileSync)(file), half = twice.length / 2, once = twice.subarray(0, half);
    return once.equals(twice.subarray(half)) ? once : void 0;
  } catch {
    return;
  }
}
function keepLater(worker, file, script) {
  let { cachedDataVersionTag } = require2("node:v8"), tag = cachedDataVersionTag(), part = `${file}.${pid}.${hrtime.bigint()}.tmp`;
  worker.keepAfterCalls(() => {
    cachedDataVersionTag() === tag && keep(file, part, script);
  });
}
function keep(file, part, script) {
  try {
    writeTwice(part, script), files.renameSync(part, file);
  } catch {
    remove(part);
  }
}
function writeTwice(file, script) {
  let descriptor = files.openSync(file, "wx", 384);
  try {
    let data = apply(createCachedData, script, []);
    for (let copy = 0; copy < 2; copy++)
      for (let done = 0; done < data.length; )
        done += files.writeSync(descriptor, data, done);
  } finally {
    files.closeSync(descriptor);
  }
}
function remove(file) {
  try {
    files.unlinkSync(file);
  } catch {
  }
}
