import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type Figures, median, type Results } from "./results.ts";

const COLOURS: Record<string, string> = {
  "bare-json": "#9aa0a6",
  rootbridge: "#1a73e8",
  ndjson: "#f29900",
  "node-http": "#188038",
  grpc: "#d93025",
  roadrunner: "#9334e6",
  jsii: "#12b5cb",
  bare: "#9aa0a6",
  goja: "#795548",
};
const SHOWN = ["bare-json", "rootbridge", "ndjson", "node-http", "grpc", "roadrunner", "jsii"];
const WORKS = [
  "echo-1MiB",
  "bytes-100B",
  "bytes-2KB",
  "bytes-1MiB",
  "passed-2KB",
  "validate",
  "render",
  "heavy",
];
const WORKERS: Record<string, number> = {
  rootbridge: 1,
  "rootbridge-2-workers": 2,
  "rootbridge-4-workers": 4,
  "rootbridge-8-workers": 8,
};
const colour = colourOf(SHOWN);
const PROCESS_COLOUR = {
  field: "process",
  type: "nominal",
  scale: { domain: ["Go", "Node"], range: ["#00add8", "#5fa04e"] },
  title: null,
};

/** From the least to the most, across a bar and through a point. */
const ACROSS = {
  mark: { type: "rule", color: "#202124" },
  encoding: { x: { field: "least", type: "quantitative" }, x2: { field: "most" } },
};
const THROUGH = {
  mark: { type: "rule", opacity: 0.6 },
  encoding: { y: { field: "least", type: "quantitative" }, y2: { field: "most" } },
};

const CALLERS = { title: "callers", axis: { values: [1, 4, 16, 64, 256] } };
const LOGARITHMS = { scale: { type: "log", nice: false } };

/** The charts of docs/benchmarks.md by their names, as SVG. */
export async function drawCharts(results: Results): Promise<[string, string][]> {
  const specs: [string, object][] = [
    ["throughput", throughput(results)],
    ["works", works(results)],
    ["latency", latency(results)],
    ["callers", callers(results)],
    ["workers", workers(results)],
    ["processor", processor(results)],
    ["memory", memory(results)],
    ["start", start(results)],
  ];
  return Promise.all(
    specs.map(async ([name, spec]): Promise<[string, string]> => [name, await draw(spec)]),
  );
}

async function draw(spec: object): Promise<string> {
  const whole = {
    background: "white",
    config: { font: "sans-serif", axis: { grid: true }, view: { stroke: null } },
    ...spec,
  };
  const view = new View(parse(compile(whole as TopLevelSpec).spec), { renderer: "none" });
  return `${await view.toSVG()}\n`;
}

function throughput(results: Results): object {
  const values = rowsOf(results, ["rate"]).filter(
    ({ callers, work }) => callers === 64 && isEcho(work),
  );
  return {
    title: titled("Calls per second, 64 callers, one worker", roundsOf(results)),
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { x: "independent" } },
    spec: bars(320, SHOWN, { title: "calls/s" }, { ...colour, legend: null }, ACROSS),
  };
}

/** What a team would call: each work on a scale of its own. All are as high, which Vega-Lite can't work out for layers. */
function works(results: Results): object {
  const shown = ["bare", ...SHOWN, "goja"];
  const values = rowsOf(results, ["rate"], shown).filter(
    ({ callers, work }) => callers === 16 && WORKS.includes(work),
  );
  const x = { title: "calls/s", axis: { tickCount: 3 } };
  const color = { ...colourOf(shown), legend: null };
  return {
    title: titled("Calls per second, 16 callers, one worker", roundsOf(results)),
    data: { values },
    facet: { field: "work", title: null, sort: WORKS },
    columns: 4,
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: { ...bars(200, shown, x, color, ACROSS), height: 130 },
  };
}

function latency(results: Results): object {
  const values = rowsOf(results, ["p50", "p99"]).filter(({ work }) => work === "echo-100B");
  return {
    title: titled("Time of a call of 100 B by the number of callers, µs", roundsOf(results)),
    data: { values },
    facet: { column: { field: "figure", title: null } },
    spec: lines(CALLERS, { ...LOGARITHMS, title: "µs" }, colour),
  };
}

function callers(results: Results): object {
  const values = rowsOf(results, ["rate"]).filter(({ work }) => isEcho(work));
  return {
    title: titled("Calls per second by the number of callers, one worker", roundsOf(results)),
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { y: "independent" } },
    spec: lines(CALLERS, { ...LOGARITHMS, title: "calls/s" }, colour),
  };
}

function workers(results: Results): object {
  const shown = results.cells.filter((c) => c.contender in WORKERS && isEcho(c.work));
  const counts = [...new Set(shown.map(({ callers }) => callers))];
  const values = shown.map(({ contender, work, callers, rounds }) => ({
    work,
    callers,
    at: beside(WORKERS[contender] ?? Number.NaN, callers, counts),
    ...span(rounds.map(({ rate }) => rate)),
  }));
  const text = `Calls per second by the number of workers, on ${results.machine.cores} cores`;
  return {
    title: titled(text, roundsOf(results)),
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { y: "independent" } },
    spec: lines(
      { title: "workers", axis: { values: Object.values(WORKERS) } },
      { title: "calls/s" },
      { field: "callers", type: "ordinal", title: "callers" },
    ),
  };
}

function processor(results: Results): object {
  const rows = rowsOf(results, ["goCPU", "nodeCPU"]);
  const subtitle = `medians of ${roundsOf(results)}`;
  return halves({ text: "Processor time of a call, 64 callers, µs", subtitle }, rows);
}

/** What a process has needed for another work before it may keep: so the least of the rounds counts. */
function memory(results: Results): object {
  const rows = rowsOf(results, ["goPeak", "nodePeak"]);
  const subtitle = `the least of ${roundsOf(results)}`;
  return halves(
    { text: "Most resident memory, 64 callers, MB", subtitle },
    rows.map((row) => ({ ...row, value: row.least / 1e6 })),
  );
}

/** A figure of the Go process and of Node's, one on top of the other. */
function halves(title: object, rows: Row[]): object {
  const values = rows
    .filter(({ callers, work }) => callers === 64 && isEcho(work))
    .map((row) => ({ ...row, process: row.figure.startsWith("go") ? "Go" : "Node" }));
  return {
    title,
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { x: "independent" } },
    spec: bars(320, SHOWN, { title: null }, PROCESS_COLOUR),
  };
}

function start({ cold, plan }: Results): object {
  const values = cold
    .map(({ contender, millis }) => ({ contender, ...span(millis) }))
    .sort((a, b) => a.value - b.value);
  const names = values.map(({ contender }) => contender);
  const color = {
    condition: { test: "test(/^rootbridge|^a worker/, datum.contender)", value: "#1a73e8" },
    value: "#9aa0a6",
  };
  return {
    title: titled(
      "Start to first answer (Node by itself: to its end; else until ready), ms",
      `${plan.cold} starts`,
    ),
    data: { values },
    ...bars(480, names, { title: "ms" }, color, ACROSS),
  };
}

function roundsOf({ plan }: Results): string {
  return `${plan.rounds} rounds`;
}

function titled(text: string, values: string): object {
  return { text, subtitle: `medians of ${values}; thin lines from the least to the most` };
}

/** A bar for each contender, in the order of `sort`. */
function bars(width: number, sort: string[], x: object, color: object, ...over: object[]): object {
  return {
    width,
    encoding: {
      y: { field: "contender", type: "nominal", sort, title: null, axis: { labelLimit: 0 } },
    },
    layer: [
      { mark: "bar", encoding: { x: { field: "value", type: "quantitative", ...x }, color } },
      ...over,
    ],
  };
}

function lines(x: object, y: object, color: object): object {
  const scale = { type: "log", base: 2, nice: false, padding: 8 };
  return {
    width: 320,
    encoding: { x: { field: "at", type: "quantitative", scale, ...x }, color },
    layer: [
      {
        mark: { type: "line", point: { size: 20 } },
        encoding: { y: { field: "value", type: "quantitative", ...y } },
      },
      THROUGH,
    ],
  };
}

/** Where to draw one of several at the same number, so that none hides what another's least and most are. */
function beside<T>(x: number, one: T, all: readonly T[]): number {
  return x * 1.05 ** (all.indexOf(one) - (all.length - 1) / 2);
}

function colourOf(contenders: string[]): object {
  const range = contenders.map((name) => COLOURS[name]);
  return { field: "contender", type: "nominal", scale: { domain: contenders, range }, title: null };
}

interface Span {
  value: number;
  least: number;
  most: number;
}

interface Row extends Span {
  contender: string;
  work: string;
  callers: number;
  at: number;
  figure: string;
}

function rowsOf(results: Results, figures: (keyof Figures)[], shown = SHOWN): Row[] {
  return results.cells
    .filter(({ contender }) => shown.includes(contender))
    .flatMap(({ contender, work, callers, rounds }) =>
      figures.map((figure) => ({
        contender,
        work,
        callers,
        at: beside(callers, contender, shown),
        figure,
        ...span(rounds.map((round) => round[figure])),
      })),
    );
}

/** The median, and what is on both sides of it. */
function span(values: number[]): Span {
  return { value: median(values), least: Math.min(...values), most: Math.max(...values) };
}

function isEcho(work: string): boolean {
  return work === "echo-100B" || work === "echo-2KB";
}
