import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { eventsOf, invokeWorker, RUNTIMES, tidied } from "../support/lambda.ts";
import { cases } from "./cases.ts";

for (const [rules, runtime] of RUNTIMES) {
  suite(`a worker invokes handlers by the rules of ${runtime}`, { concurrency: 2 }, () => {
    for (const one of cases) {
      const expected = one.here?.[rules] ?? one[rules];
      if (!expected) continue;
      test(`${one.about}: ${one.handler}`, async (t) => {
        const outcomes = await invokeWorker(t, runtime, one.handler, eventsOf(one));
        assert.deepEqual(tidied(outcomes), expected);
      });
    }
  });
}

test("what differs on purpose is in the documentation, and nothing else differs", () => {
  const differing = cases.filter(({ here }) => here);
  assert.deepEqual(
    cases.filter(({ differs, here }) => (differs === undefined) !== (here === undefined)),
    [],
  );
  const shown = new Set(differing.map(({ differs }) => differs));
  assert.deepEqual([...shown].sort(), [...comparedRows()].sort());
});

/** The first column of the table's rows that are marked as compared. */
function comparedRows(): string[] {
  const page = readFileSync(new URL("../../docs/lambda.md", import.meta.url), "utf8");
  const [, section = ""] = page.split("## What differs on purpose\n");
  const rows = section
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.endsWith("| ✓ |"));
  return rows.map((row) => row.split(" | ", 1)[0]?.slice(2) ?? "");
}
