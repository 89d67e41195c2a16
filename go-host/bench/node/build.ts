// Bundles the Node sides of the contenders into build/, each into one plain JavaScript file, so that none pays for
// TypeScript or for many files when it starts.

import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { compileLibrary, packLibrary } from "./library.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const names = [
  "bare",
  "bare-call",
  "bare-json",
  "bare-json-steps",
  "bare-json-traced",
  "ndjson",
  "http",
  "grpc",
  "goridge",
];
await bundle(names, "build", "work.ts");
await bundle([...names, "exec"], "build/trivial", "trivial.ts");
// It is loaded for each call, by people who load what that call needs.
await bundle(["exec"], "build", "light.ts");
await bundleFunctions("work.ts", "build");
await bundleFunctions("trivial.ts", "build/trivial");
compileLibrary(`${ROOT}build/jsii/package`);
await bundleLibrary("build", "work.ts");
await bundleLibrary("build/trivial", "trivial.ts");

/** `functions` is the file that the contenders' functions are in. */
async function bundle(files: string[], folder: string, functions: string): Promise<void> {
  await build({
    entryPoints: files.map((name) => `${ROOT}node/${name}.ts`),
    outdir: `${ROOT}${folder}`,
    outExtension: { ".js": ".cjs" },
    plugins: [choose(functions)],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs", // node:http takes much longer to be loaded as an ES module
  });
}

function choose(functions: string): Plugin {
  return {
    name: "functions",
    setup: ({ onResolve }) =>
      void onResolve({ filter: /work\.ts$/ }, () => ({ path: `${ROOT}node/${functions}` })),
  };
}

/** jsii's kernel loads no ES modules. */
async function bundleLibrary(folder: string, functions: string): Promise<void> {
  await build({
    entryPoints: [`${ROOT}node/method.ts`],
    outdir: `${ROOT}build/jsii/package`,
    plugins: [choose(functions)],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
  });
  packLibrary(`${ROOT}build/jsii/package`, `${ROOT}${folder}/jsii.tgz`);
}

/** What Rootbridge loads: CommonJS, as most code is that is to be called from another language. */
async function bundleFunctions(file: string, folder: string): Promise<void> {
  await build({
    entryPoints: [`${ROOT}node/${file}`],
    outfile: `${ROOT}${folder}/work.cjs`,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
  });
}

// goja knows neither modules nor Node.
await build({
  entryPoints: [`${ROOT}node/work.ts`],
  outfile: `${ROOT}build/work.js`,
  bundle: true,
  platform: "neutral",
  mainFields: ["main"],
  // Without the part that reads files.
  alias: { handlebars: `${ROOT}node_modules/handlebars/dist/cjs/handlebars.js` },
  target: "es2017",
  format: "iife",
  globalName: "work",
});
