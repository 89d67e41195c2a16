import { suite, test } from "node:test";
import { listFiles, readCases } from "../support/vectors.ts";
import {
  playWorkerSession,
  type WorkerSession,
  workerCommand,
  workerKeys,
} from "../support/worker-session.ts";

const timeout = 60_000;

for (const name of listFiles("sessions/worker")) {
  suite(name, { concurrency: 4 }, () => {
    for (const session of readCases<WorkerSession>(name, workerKeys)) {
      test(session.id, { timeout }, ({ signal }) =>
        playWorkerSession(session, workerCommand(), signal),
      );
    }
  });
}
