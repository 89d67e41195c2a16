import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import { cli } from "../support/cli.ts";
import { testNode } from "../support/host.ts";
import { listFiles, readCases } from "../support/vectors.ts";
import {
  playWorkerSession,
  sourceOf,
  type WorkerSession,
  workerCommand,
  workerKeys,
} from "../support/worker-session.ts";

const timeout = 60_000;
const programs = {
  "node worker.cjs FILE": workerCommand,
  "rootbridge worker FILE": (file: string) => [
    process.execPath,
    cli,
    "worker",
    "--node",
    testNode,
    file,
  ],
};

for (const [program, command] of Object.entries(programs)) {
  for (const name of listFiles("sessions/lines")) {
    suite(`${program}: ${name}`, { concurrency: 4 }, () => {
      for (const session of readCases<WorkerSession>(name, workerKeys)) {
        test(session.id, { timeout }, (t) =>
          playWorkerSession(session, command(moduleOf(t, session)), t.signal),
        );
      }
    });
  }
}

function moduleOf(t: TestContext, session: WorkerSession): string {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-lines-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "module.mjs");
  writeFileSync(file, sourceOf(session));
  return file;
}
