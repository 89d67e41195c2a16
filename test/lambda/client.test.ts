import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventsOf, invokeClient, RUNTIMES, tidied, whyNoClient } from "../support/lambda.ts";
import { cases } from "./cases.ts";

for (const [rules, runtime] of RUNTIMES) {
  const skip = whyNoClient(runtime);
  suite(`AWS's own client for ${runtime} does what the cases say`, { skip, concurrency: 2 }, () => {
    for (const one of cases) {
      const expected = one[rules];
      if (!expected) continue;
      test(`${one.about}: ${one.handler}`, async (t) => {
        const outcomes = await invokeClient(t, runtime, one.handler, eventsOf(one));
        assert.deepEqual(tidied(outcomes), expected);
      });
    }
  });
}
