import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type HostSession, hostKeys, playHostSession } from "../support/host-session.ts";
import { readCases } from "../support/vectors.ts";
import {
  playWorkerSession,
  type WorkerSession,
  workerCommand,
  workerKeys,
} from "../support/worker-session.ts";

const timeout = 60_000;

suite("a session that does not go as scripted fails", { concurrency: 4 }, () => {
  for (const session of readCases<WorkerSession>("wrong/worker.json", workerKeys)) {
    test(`worker: ${session.id}`, { timeout }, ({ signal }) =>
      assert.rejects(playWorkerSession(session, workerCommand(), signal)),
    );
  }
  for (const session of readCases<HostSession>("wrong/host.json", hostKeys)) {
    test(`host: ${session.id}`, { timeout }, () =>
      assert.rejects(playHostSession("wrong/host.json", session)),
    );
  }
});
