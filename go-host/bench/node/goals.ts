import {
  type Compared,
  type Comparison,
  differences,
  type Figures,
  median,
  type Results,
  ratios,
  ratiosOf,
} from "./results.ts";

/** A figure that Rootbridge is to reach. */
export interface Goal {
  what: string;
  /** What it is in these results; NaN where it was not measured. */
  value: number;
  /** What it is in each round, where it is the median of these. */
  rounds?: readonly number[];
  /** True where these are of `Results.anew`. */
  anew?: boolean;
  /** The least that will do, or the most. Without either it is there for comparison. */
  least?: number;
  most?: number;
  unit?: string;
}

type Reached = Pick<Goal, "value" | "rounds" | "anew">;

const LOOPS = { "echo-100B": 0.95, "echo-2KB": 1.2 } as const;
/** As it is by default, without Options.BusyPoll, since none of the others polls, and with every guarantee on. */
const HOSTS = [
  { host: "rootbridge", note: "" },
  { host: "rootbridge-waits", note: ", without polling" },
  { host: "rootbridge-traced", note: ", a trace id of its own for each call" },
] as const;
/** As the bare loop has its results, and Rootbridge only where a caller asks for it. */
const REUSED = ", into memory that the caller uses again";
const BYTES_HOSTS = [
  { host: "rootbridge", note: REUSED },
  { host: "rootbridge-traced", note: `${REUSED}, a trace id of its own for each call` },
  { host: "rootbridge-fresh", note: ", results in memory of their own" },
] as const;
const PEERS = [
  ["echo-100B", "node-http", 4.5],
  ["echo-100B", "grpc", 9],
  ["echo-100B", "ndjson", 1.4],
  ["echo-2KB", "node-http", 2],
  ["echo-2KB", "grpc", 3.3],
  ["echo-2KB", "ndjson", 1.6],
] as const;
const BYTES = ["bytes-100B", "bytes-2KB", "bytes-1MiB"] as const;
const TYPED = ["echo-100B", "echo-2KB", "blob-64KiB"] as const;
const FIGURES = ["p50", "p99"] as const;
const MANY = { what: "16 to 256 callers", callers: [16, 64, 256] } as const;
const ONE = { what: "1 caller", callers: [1] } as const;

/** All goals with what was reached. */
export function goalsOf(results: Results): Goal[] {
  return [
    ...loopGoals(results),
    ...peerGoals(results),
    ...latencyGoals(results),
    ...sameTerms(results),
    ...bytesGoals(results),
    ...msgpackGoals(results),
    ...costGoals(results),
  ];
}

/** The median of what one contender's figure is of another's, and what it is in each round. */
function compared(results: Results, ...comparison: Comparison): Reached {
  return worst(results, [comparison]);
}

/** The comparison with the largest median. */
function worst(results: Results, comparisons: readonly Comparison[]): Reached {
  return most(ratios(results, comparisons));
}

function most({ anew, rounds }: Compared): Reached {
  const value = Math.max(...rounds.map(median));
  return { value, rounds: rounds.find((some) => median(some) === value) ?? [], anew };
}

function loopGoals(results: Results): Goal[] {
  const goals = HOSTS.flatMap(({ host, note }) => [
    ...Object.entries(LOOPS).map(([work, least]) => ({
      what: `${work}, 64 callers${note}: calls/s of the bare loop with encoding/json`,
      ...compared(results, "rate", host, "bare-json", work, 64),
      least,
    })),
    ...Object.keys(LOOPS).map((work) => ({
      what: `${work}, 1 caller${note}: p50 of the bare loop with encoding/json`,
      ...compared(results, "p50", host, "bare-json", work, 1),
      most: 1.1,
    })),
  ]);
  return [
    ...goals,
    {
      what: "echo-2KB, 64 callers, with sonic: calls/s of the bare loop with encoding/json",
      ...compared(results, "rate", "rootbridge-sonic", "bare-json", "echo-2KB", 64),
      least: 1.5,
    },
  ];
}

function peerGoals(results: Results): Goal[] {
  return HOSTS.flatMap(({ host, note }) =>
    PEERS.map(([work, peer, least]) => ({
      what: `${work}, 64 callers${note}: calls/s of ${peer}`,
      ...compared(results, "rate", host, peer, work, 64),
      least,
    })),
  );
}

function latencyGoals(results: Results): Goal[] {
  return [...HOSTS.flatMap((host) => singleWorkerLatencies(results, host)), twoWorkers(results)];
}

function singleWorkerLatencies(results: Results, host: (typeof HOSTS)[number]): Goal[] {
  return FIGURES.flatMap((figure) => [
    ...["ndjson", "node-http", "grpc"].map((peer) => ({
      ...latency(results, host, figure, peer, MANY),
      most: 1,
    })),
    { ...latency(results, host, figure, "ndjson", ONE), most: 1.1 },
    { ...latency(results, host, figure, "node-http", ONE), most: 1 },
    { ...latency(results, host, figure, "grpc", ONE), most: 1 },
  ]);
}

/** As many workers as processors, of which Go needs one. */
function twoWorkers(results: Results): Goal {
  const all = [16, 64].map(
    (n): Comparison => ["p99", "rootbridge-2-workers", "ndjson", "echo-100B", n],
  );
  return {
    what: "echo-100B, 16 and 64 callers, two workers: p99 of ndjson's one, the worst",
    ...worst(results, all),
  };
}

function latency(
  results: Results,
  { host, note }: (typeof HOSTS)[number],
  figure: keyof Figures,
  peer: string,
  { what, callers }: typeof MANY | typeof ONE,
): Goal {
  const all = callers.flatMap((n) =>
    Object.keys(LOOPS).map((work): Comparison => [figure, host, peer, work, n]),
  );
  return {
    what: `echo-100B and echo-2KB, ${what}${note}: ${figure} of ${peer}, the worst`,
    ...worst(results, all),
  };
}

/** Against others with Rootbridge's JSON library, or that write or poll as it does. */
function sameTerms(results: Results): Goal[] {
  const rates = (["", "-sonic"] as const).flatMap((library) =>
    Object.keys(LOOPS).flatMap((work) =>
      ["bare-json", "ndjson", "node-http", "grpc"].map((other) => {
        const peer = `${other}${library || "-v1"}`;
        return {
          what: `${work}, 64 callers${library && ", with sonic"}: calls/s of ${peer}, with the same library`,
          ...compared(results, "rate", `rootbridge${library}`, peer, work, 64),
        };
      }),
    ),
  );
  const writing = Object.entries(LOOPS).map(([work, least]) => ({
    what: `${work}, 64 callers: calls/s of the bare loop with encoding/json that writes in steps, too`,
    ...compared(results, "rate", "rootbridge", "bare-json-steps", work, 64),
    least,
  }));
  const traced = Object.keys(LOOPS).map((work) => ({
    what: `${work}, 64 callers, a trace id of its own for each call: calls/s of the bare loop with encoding/json and one, too`,
    ...compared(results, "rate", "rootbridge-traced", "bare-json-traced", work, 64),
  }));
  const polling = compared(results, "p50", "rootbridge", "bare-json-polls", "echo-100B", 1);
  return [
    ...rates,
    ...sameLibraryLatencies(results),
    ...writing,
    ...traced,
    { what: "echo-100B, 1 caller: p50 of the bare loop that polls, too", ...polling, most: 1.1 },
  ];
}

function sameLibraryLatencies(results: Results): Goal[] {
  return FIGURES.flatMap((figure) =>
    ["ndjson", "node-http", "grpc"].map((other) => {
      const row = latency(results, HOSTS[0], figure, `${other}-v1`, MANY);
      return { ...row, what: `${row.what}, with the same library` };
    }),
  );
}

function bytesGoals(results: Results): Goal[] {
  const goals = [
    ["bytes-100B", 0.5],
    ["bytes-2KB", 0.6],
    ["bytes-1MiB", 0.85],
  ] as const;
  return [
    ...BYTES_HOSTS.flatMap(({ host, note }) =>
      goals.map(([work, least]) => ({
        what: `${work}, 64 callers${note}: calls/s of the bare loop`,
        ...compared(results, "rate", host, "bare", work, 64),
        least,
      })),
    ),
    ...goals.map(([work]) => ({
      what: `${work}, 64 callers, results in memory of their own: calls/s of the bare loop with such results, too`,
      ...compared(results, "rate", "rootbridge-fresh", "bare-fresh", work, 64),
    })),
    ...goals.map(([work]) => ({
      what: `${work}, 64 callers, into memory that the caller uses again: calls/s of the bare loop that calls a function, too`,
      ...compared(results, "rate", "rootbridge", "bare-call", work, 64),
    })),
    {
      what: "2 KB of JSON typed, 64 callers: Go's processor time of JSON passed through",
      ...compared(results, "goCPU", "rootbridge", "rootbridge", "echo-2KB", 64, "passed-2KB"),
      least: 2.5,
    },
  ];
}

function msgpackGoals(results: Results): Goal[] {
  const works = [
    ["blob-64KiB", 64],
    ["echo-1MiB", 16],
  ] as const;
  return works.map(([work, callers]) => ({
    what: `${work}, ${callers} callers, MessagePack: calls/s of JSON`,
    ...compared(results, "rate", "rootbridge-msgpack", "rootbridge", work, callers),
    least: 1,
  }));
}

function costGoals(results: Results): Goal[] {
  const { idle } = results;
  const beyond = (host: string, other: string, works: readonly string[]) => ({
    ...most(
      differences(
        results,
        works.map((work): Comparison => ["allocs", host, other, work, 64]),
      ),
    ),
    unit: "more",
  });
  return [
    ...BYTES_HOSTS.filter(({ host }) => host !== "rootbridge-traced").map(({ host, note }) => ({
      what: `100 B, 2 KB and 1 MiB of bytes, 64 callers${note}: Go allocations per call beyond the bare loop's, the most`,
      ...beyond(host, "bare", BYTES),
      most: 4,
    })),
    {
      what: "echo-100B, echo-2KB and blob-64KiB, 64 callers: Go allocations per call beyond those of the bare loop with the same library, the most",
      ...beyond("rootbridge", "bare-json-v1", TYPED),
      most: 4,
    },
    {
      what: "echo-100B and echo-2KB, 64 callers who wait for a place: Go allocations per call beyond those of the bare loop with the same library, the most",
      ...beyond("rootbridge-serial", "bare-json-v1", Object.keys(LOOPS)),
      most: 4,
    },
    {
      what: "echo-100B: Go allocations per call with 8 workers beyond those with one",
      ...beyond("rootbridge-8-workers", "rootbridge", ["echo-100B"]),
      most: 0.5,
    },
    ...startGoals(results),
    {
      what: "the host's memory beyond Go's own, with 16 callers",
      value: (idle.goMemory - idle.goBefore) / 1e6,
      most: 20,
      unit: "MB",
    },
    {
      what: "an idle worker with heartbeats, of one core",
      value: idle.nodeCPU * 100,
      most: 0.2,
      unit: "%",
    },
    { what: "an idle host with heartbeats, of one core", value: idle.goCPU * 100, unit: "%" },
  ];
}

function startGoals({ cold }: Results): Goal[] {
  const millis = (name: string) => cold.find(({ contender }) => contender === name)?.millis ?? [];
  const started = (name: string, other: string) => {
    const rounds = ratiosOf(millis(name), millis(other));
    return { value: median(rounds), rounds };
  };
  const [node, worker, ready] = ["node -e 0", "a worker, ready", "rootbridge, ready"] as const;
  return [
    {
      what: "a worker from exec until it is ready, of an empty node from exec to its end",
      ...started(worker, node),
      most: 1.25,
    },
    {
      what: "the same, of a node that loads the modules of Node's that a worker needs",
      ...started(worker, "node, a worker's modules"),
    },
    {
      what: "from Start until a worker is ready, of an empty node from exec to its end",
      ...started(ready, node),
      most: 1.25,
    },
    {
      what: "from Start to the first answer, of an empty node from exec to its end",
      ...started("rootbridge", node),
    },
  ];
}

/** True where it was reached; undefined where it was not measured, and where nothing is to be reached. */
export function isReached(goal: Goal): boolean | undefined {
  if (Number.isNaN(goal.value) || (goal.least === undefined && goal.most === undefined)) {
    return undefined;
  }
  return isWithin(goal.value, goal);
}

/** In how many of its rounds it was reached. */
export function roundsReached(goal: Goal): number {
  return goal.rounds?.filter((value) => isWithin(value, goal)).length ?? 0;
}

function isWithin(value: number, { least, most }: Goal): boolean {
  return (
    value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY)
  );
}
