// Builds the worker, one file that Go embeds and the npm package ships. With --check it only says whether the committed
// file is what would be built, and exits with 1 if not.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WORKER = `${ROOT}go-host/internal/process/worker.cjs`;
const BANNER = `// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.
// Contains msgpackr, (c) 2020 Kris Zyp, MIT licence.`;

const built = await buildWorker();
if (process.argv.includes("--check")) check(built);
else save(built);

async function buildWorker(): Promise<string> {
  const result = await build({
    entryPoints: [`${ROOT}bridge/main.ts`],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    platform: "node",
    target: "node18",
    format: "cjs",
    minifySyntax: true,
    minifyWhitespace: true,
    // Names stay, for stacks that people read.
    keepNames: false,
    legalComments: "none",
    banner: { js: BANNER },
    // msgpackr without its native part and without iterators; user code may delete the globals it uses.
    alias: { msgpackr: `${ROOT}node_modules/msgpackr/pack.js` },
    inject: [`${ROOT}bridge/globals.ts`],
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error("esbuild gave no file");
  return file.text;
}

function check(text: string): void {
  if (committed() === text) return;
  console.error(`${relative(ROOT, WORKER)} is stale: run npm run worker and commit it`);
  process.exitCode = 1;
}

function committed(): string | undefined {
  try {
    return readFileSync(WORKER, "utf8");
  } catch {
    return undefined;
  }
}

function save(text: string): void {
  mkdirSync(dirname(WORKER), { recursive: true });
  writeFileSync(WORKER, text);
  console.log(`${relative(ROOT, WORKER)}: ${text.length} bytes`);
}
