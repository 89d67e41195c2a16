// Builds the worker and what starts it, two files that Go embeds and the npm package ships. With --check it only says
// whether the committed files are what would be built, and exits with 1 if not.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = `${ROOT}go-host/internal/process/`;
const MADE = "// Made by scripts/build-worker.ts from bridge/ and protocol/; do not edit.";

const finish = process.argv.includes("--check") ? check : save;
const worker = await bundle("main", {
  minifyWhitespace: true,
  charset: "ascii", // what starts it reads it so
  banner: { js: MADE },
  inject: [`${ROOT}bridge/globals.ts`],
});
finish(`${FOLDER}worker.cjs`, worker);
finish(
  `${FOLDER}start.cjs`,
  await bundle("start", {
    banner: { js: MADE },
    define: {
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      WORKER_SUM: JSON.stringify(sumOf(worker, readFileSync(`${ROOT}bridge/start.ts`, "utf8"))),
    },
  }),
);

async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${ROOT}bridge/${entry}.ts`],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    platform: "node",
    target: "node18",
    format: "cjs",
    minifySyntax: true, // names stay, for stacks that people read
    legalComments: "none",
    ...options,
  });
  const [file] = outputFiles ?? [];
  if (!file) throw new Error("esbuild gave no file");
  return file.text;
}

/** Names the worker with the way in which it is run. */
function sumOf(...texts: string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16);
}

function check(file: string, text: string): void {
  if (committed(file) === text) return;
  console.error(`${relative(ROOT, file)} is stale: run npm run worker and commit it`);
  process.exitCode = 1;
}

function committed(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function save(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`${relative(ROOT, file)}: ${text.length} bytes`);
}
