import { suite, test } from "node:test";
import { type HostSession, hostKeys, playHostSession } from "../support/host-session.ts";
import { listFiles, readCases } from "../support/vectors.ts";

const timeout = 60_000;

for (const name of listFiles("sessions/host")) {
  suite(name, { concurrency: 4 }, () => {
    for (const session of readCases<HostSession>(name, hostKeys)) {
      test(session.id, { timeout }, () => playHostSession(name, session));
    }
  });
}
