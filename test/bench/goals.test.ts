import assert from "node:assert/strict";
import { test } from "node:test";
import { goalsOf, isReached } from "../../go-host/bench/node/goals.ts";
import {
  type Cell,
  type Figures,
  median,
  type Results,
  ratios,
  readResults,
} from "../../go-host/bench/node/results.ts";

const committed = readResults("docs/benchmarks/results.json", "docs/benchmarks/goals.json");

test("every goal was measured in the results that the page is made of", () => {
  const missing = goalsOf(committed).filter(({ value }) => !Number.isFinite(value));
  assert.deepEqual(
    missing.map(({ what }) => what),
    [],
  );
});

test("a goal is the middle of what two figures are of each other in the same round", () => {
  const results = withCells([
    cell("rootbridge", [100, 10, 30]),
    cell("bare-json", [200, 10, 10]), // 0.5, 1 and 3 times
  ]);
  assert.deepEqual(
    ratios(results, "rate", "rootbridge", "bare-json", "echo-100B", 64),
    [0.5, 1, 3],
  );
  const goal = goalsOf(results).find(({ what }) =>
    what.startsWith("echo-100B, 64 callers: calls/s of the bare loop"),
  );
  assert.deepEqual([goal?.value, goal?.rounds], [1, [0.5, 1, 3]]);
});

test("what was measured in processes of its own counts where both of a ratio were", () => {
  const anew = withCells([cell("rootbridge", [3]), cell("bare-json", [1])]);
  const results = {
    ...withCells([cell("rootbridge", [2]), cell("bare-json", [1]), cell("ndjson", [1])]),
    anew,
  };
  assert.deepEqual(ratios(results, "rate", "rootbridge", "bare-json", "echo-100B", 64), [3]);
  assert.deepEqual(ratios(results, "rate", "rootbridge", "ndjson", "echo-100B", 64), [2]);
});

test("what was not measured has no ratio, and is neither reached nor missed", () => {
  const value = median(ratios(withCells([]), "rate", "rootbridge", "bare-json", "echo-100B", 64));
  assert.ok(Number.isNaN(value));
  assert.equal(isReached({ what: "", value, least: 1 }), undefined);
  assert.equal(isReached({ what: "for comparison", value: 2 }), undefined);
});

test("a goal is reached at its bound, and not beyond it", () => {
  const reached = [
    isReached({ what: "", value: 0.95, least: 0.95 }),
    isReached({ what: "", value: 0.949, least: 0.95 }),
    isReached({ what: "", value: 1.1, most: 1.1 }),
    isReached({ what: "", value: 1.101, most: 1.1 }),
  ];
  assert.deepEqual(reached, [true, false, true, false]);
});

test("a loss shows in each goal that it is of", () => {
  const lost = goalsOf(slower(committed, "rootbridge", 10)).filter(
    (goal) => isReached(goal) === false && / calls\/s of /.test(goal.what),
  );
  const names = lost.map(({ what }) => what);
  for (const what of ["the bare loop", "node-http", "grpc", "ndjson"]) {
    assert.ok(
      names.some((name) => name.includes(what)),
      `${what} is in none of ${names}`,
    );
  }
});

test("the middle of an even number of values is between two", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

function withCells(cells: Cell[]): Results {
  const { anew: _, ...whole } = committed;
  return { ...whole, cells };
}

function cell(contender: string, rates: number[]): Cell {
  const rounds = rates.map((rate) => ({ rate }) as Figures);
  return { contender, work: "echo-100B", callers: 64, rounds };
}

/** The same results with so many times fewer calls by one contender. */
function slower(results: Results, contender: string, times: number): Results {
  const cells = results.cells.map((cell) =>
    cell.contender === contender
      ? { ...cell, rounds: cell.rounds.map((round) => ({ ...round, rate: round.rate / times })) }
      : cell,
  );
  const { anew } = results;
  return { ...results, cells, ...(anew && { anew: slower(anew, contender, times) }) };
}
