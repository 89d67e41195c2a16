import assert from "node:assert/strict";
import { test } from "node:test";
import { type Goal, goalsOf, isReached } from "../../go-host/bench/node/goals.ts";
import {
  type Cell,
  type Comparison,
  type Figures,
  median,
  type Results,
  ratios,
  readResults,
} from "../../go-host/bench/node/results.ts";
import { makeTables } from "../../go-host/bench/node/tables.ts";

const IDLE = {
  seconds: 30,
  calls: 1_000_000,
  goCPU: 0.001,
  nodeCPU: 0.001,
  goBefore: 0,
  goMemory: 10e6,
  nodeReady: 60e6,
  nodeMemory: 80e6,
};
const committed = readResults("docs/benchmarks/results.json", "docs/benchmarks/goals.json");
const LOOP: Comparison = ["rate", "rootbridge", "bare-json", "echo-100B", 64];
const NDJSON: Comparison = ["rate", "rootbridge", "ndjson", "echo-100B", 64];
/** What the names of a host's goals say, where they say more than that it is Rootbridge. */
const NOTES: Record<string, string> = {
  "rootbridge-waits": ", without polling",
  "rootbridge-traced": ", a trace id of its own",
  "rootbridge-fresh": ", results in memory of their own",
  "rootbridge-sonic": ", with sonic",
  "rootbridge-msgpack": ", MessagePack",
};
const REACHED = reached();
const BOUND = goalsOf(REACHED).filter(isBound);
const FIGURES = { rate: "calls/s of ", p50: "p50 of ", p99: "p99 of " };

test("every goal was measured in the results that the page is made of", () => {
  const missing = goalsOf(committed).filter(({ value }) => !Number.isFinite(value));
  assert.deepEqual(names(missing), []);
});

test("bench --goals measures all that has a goal for its calls", () => {
  const isOfCalls = ({ what }: Goal) =>
    /calls\/s of |p50 of the bare loop|processor time/.test(what);
  const elsewhere = goalsOf(committed).filter(
    (goal) => isBound(goal) && isOfCalls(goal) && !goal.anew,
  );
  assert.deepEqual(names(elsewhere), []);
});

test("a goal is the middle of what two figures are of each other in the same round", () => {
  const results = withCells([
    cell("rootbridge", [100, 10, 30]),
    cell("bare-json", [200, 10, 10]), // 0.5, 1 and 3 times
  ]);
  assert.deepEqual(ratios(results, [LOOP]), { anew: false, rounds: [[0.5, 1, 3]] });
  const goal = goalsOf(results).find(({ what }) =>
    what.startsWith("echo-100B, 64 callers: calls/s of the bare loop"),
  );
  assert.deepEqual([goal?.value, goal?.rounds], [1, [0.5, 1, 3]]);
});

test("a round that only one of two has leaves a goal unmeasured", () => {
  const [longer, shorter] = [
    [1, 1, 1],
    [1, 1],
  ];
  for (const [ours, theirs] of [
    [longer, shorter],
    [shorter, longer],
  ] as const) {
    const results = withCells([cell("rootbridge", ours), cell("bare-json", theirs)]);
    assert.deepEqual(ratios(results, [LOOP]).rounds, [[1, 1, Number.NaN]]);
    assert.ok(Number.isNaN(median([1, 1, Number.NaN])));
    assert.match(
      makeTables(results),
      /with encoding\/json \| at least 0.95 times \| not measured \| {2}\|/,
    );
  }
});

test("what was measured in processes of its own counts where all that a row compares was", () => {
  const results = partlyAnew();
  assert.deepEqual(ratios(results, [LOOP]), { anew: true, rounds: [[3]] });
  assert.deepEqual(ratios(results, [NDJSON]), { anew: false, rounds: [[2]] });
  assert.deepEqual(ratios(results, [LOOP, NDJSON]), { anew: false, rounds: [[2], [2]] });
});

test("a row of what was measured in processes of its own is marked, and no other", () => {
  const marked = goalRows(partlyAnew()).filter((row) => row.startsWith("| ") && row.includes("•"));
  assert.deepEqual(
    marked.map((row) => row.split(" | ")[0]),
    ["| echo-100B, 64 callers: calls/s of the bare loop with encoding/json"],
  );
  const { anew: _, ...whole } = partlyAnew();
  assert.doesNotMatch(makeTables(whole), /•/);
});

test("the page says what a machine and what was measured on it are", () => {
  const machine = { ...committed.machine, memory: 8.2e9, versions: { grpc: "v1", ajv: "8" } };
  const results = { ...withCells([]), machine };
  const other = { ...results, machine: { ...machine, cpu: "Another", versions: { grpc: "v2" } } };
  assert.match(makeTables(results), /, 8\.2 GB of memory, .*\n\nWith grpc v1, ajv 8\.\n\n###/);
  assert.match(makeTables({ ...results, anew: other }), /\(.*Another,.*\n\nWith grpc v2\.\n\n\|/);
  assert.equal(makeTables({ ...results, anew: results }).match(/With grpc/g)?.length, 1);
});

test("what was not measured has no ratio, and is neither reached nor missed", () => {
  const goal = goalsOf(withCells([])).find(({ what }) => what.includes("calls/s of the bare loop"));
  assert.ok(goal && Number.isNaN(goal.value));
  assert.equal(isReached(goal), undefined);
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

test("a loss shows in each goal that it is of, and in no other", () => {
  assert.deepEqual(names(BOUND.filter((goal) => !isReached(goal))), []);
  const hosts = ["rootbridge", ...Object.keys(NOTES)];
  for (const host of hosts) {
    for (const [figure, name] of Object.entries(FIGURES)) {
      const lost = missed(worse(figure as keyof Figures, (cell) => cell.contender === host));
      assert.deepEqual(lost, names(boundOf(host).filter(({ what }) => what.includes(name))), host);
    }
  }
});

test("a loss of one work with one number of callers shows in what is the worst of all", () => {
  for (const callers of [1, 16, 64, 256]) {
    for (const work of ["echo-100B", "echo-2KB"]) {
      const isIt = (cell: Cell) =>
        cell.contender === "rootbridge" && cell.work === work && cell.callers === callers;
      const span = callers === 1 ? "1 caller" : "16 to 256 callers";
      assert.deepEqual(
        missed(worse("p99", isIt)),
        ["ndjson", "node-http", "grpc"].map(
          (peer) => `echo-100B and echo-2KB, ${span}: p99 of ${peer}, the worst`,
        ),
      );
    }
  }
});

test("a loss of what is not of calls shows in its goal, and in no other", () => {
  const { cold, idle } = REACHED;
  const slowStart = (name: string) => ({
    ...REACHED,
    cold: cold.map(({ contender, millis }) => ({
      contender,
      millis: contender === name ? millis.map((ms) => ms * 10) : millis,
    })),
  });
  const allocations = (contender: string, work: string) =>
    worse("allocs", (cell) => cell.contender === contender && cell.work === work);
  const losses = {
    "2 KB of JSON typed, 64 callers: Go's processor time of JSON passed through": worse(
      "goCPU",
      ({ work }) => work === "passed-2KB",
    ),
    "100 B, 2 KB and 1 MiB of bytes, 64 callers, into memory that the caller uses again: Go allocations per call beyond the bare loop's, the most":
      allocations("rootbridge", "bytes-1MiB"),
    "100 B, 2 KB and 1 MiB of bytes, 64 callers, results in memory of their own: Go allocations per call beyond the bare loop's, the most":
      allocations("rootbridge-fresh", "bytes-2KB"),
    "echo-100B, echo-2KB and blob-64KiB, 64 callers: Go allocations per call beyond those of the bare loop with the same library, the most":
      allocations("rootbridge", "echo-2KB"),
    "echo-100B and echo-2KB, 64 callers who wait for a place: Go allocations per call beyond those of the bare loop with the same library, the most":
      allocations("rootbridge-serial", "echo-100B"),
    "echo-100B: Go allocations per call with 8 workers beyond those with one": allocations(
      "rootbridge-8-workers",
      "echo-100B",
    ),
    "a worker from exec until it is ready, of an empty node from exec to its end":
      slowStart("a worker, ready"),
    "from Start until a worker is ready, of an empty node from exec to its end":
      slowStart("rootbridge, ready"),
    "the host's memory beyond Go's own, with 16 callers": {
      ...REACHED,
      idle: { ...idle, goMemory: idle.goMemory * 10 },
    },
    "an idle worker with heartbeats, of one core": {
      ...REACHED,
      idle: { ...idle, nodeCPU: idle.nodeCPU * 10 },
    },
  };
  const ofCalls = new RegExp(Object.values(FIGURES).join("|"));
  assert.deepEqual(Object.keys(losses), names(BOUND.filter(({ what }) => !ofCalls.test(what))));
  for (const [what, results] of Object.entries(losses)) assert.deepEqual(missed(results), [what]);
});

test("the middle of an even number of values is between two", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

function withCells(cells: Cell[]): Results {
  const { anew: _, ...whole } = committed;
  return { ...whole, cells, idle: IDLE };
}

function cell(contender: string, rates: readonly number[]): Cell {
  const rounds = rates.map((rate) => ({ rate }) as Figures);
  return { contender, work: "echo-100B", callers: 64, rounds };
}

/** Of ndjson there is no cell of processes of its own. */
function partlyAnew(): Results {
  const anew = withCells([cell("rootbridge", [3]), cell("bare-json", [1])]);
  const cells = [cell("rootbridge", [2]), cell("bare-json", [1]), cell("ndjson", [1])];
  return { ...withCells(cells), anew };
}

function goalRows(results: Results): string[] {
  return makeTables(results).split("###")[1]?.split("\n") ?? [];
}

/** Results of the same contenders with the same works, in which each goal is reached. */
function reached(): Results {
  const cells = committed.cells.map((cell) => ({ ...cell, rounds: [figuresOf(cell)] }));
  const cold = committed.cold.map(({ contender }) => ({ contender, millis: [40] }));
  return { ...withCells(cells), cold };
}

/** No contender has ten times a goal. */
function figuresOf({ contender, work }: Cell): Figures {
  const rate = contender.startsWith("rootbridge")
    ? 1_000
    : contender.startsWith("bare")
      ? 500
      : 100;
  const goCPU = work === "passed-2KB" ? 1 : 3;
  const figures = { calls: 1, rate, p50: 1, p99: 1, p999: 1, goCPU, nodeCPU: 1 };
  return { ...figures, allocs: 1, goPeak: 1, nodePeak: 1 };
}

/** What is ten times worse where it is chosen. */
function worse(figure: keyof Figures, isChosen: (cell: Cell) => boolean): Results {
  const factor = figure === "rate" ? 0.1 : 10;
  const change = (round: Figures) => ({ ...round, [figure]: round[figure] * factor });
  const cells = REACHED.cells.map((cell) =>
    isChosen(cell) ? { ...cell, rounds: cell.rounds.map(change) } : cell,
  );
  return { ...REACHED, cells };
}

function missed(results: Results): string[] {
  return names(goalsOf(results).filter((goal) => isReached(goal) === false));
}

/** What has a bound for a host, by its name. */
function boundOf(host: string): Goal[] {
  const note = NOTES[host];
  return BOUND.filter(({ what }) =>
    note ? what.includes(note) : !Object.values(NOTES).some((other) => what.includes(other)),
  );
}

function isBound({ least, most }: Goal): boolean {
  return least !== undefined || most !== undefined;
}

function names(goals: Goal[]): string[] {
  return goals.map(({ what }) => what);
}
