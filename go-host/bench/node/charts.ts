import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type Figures, median, type Results, typical } from "./results.ts";

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

/** The charts of docs/benchmarks.md by their names, as SVG. */
export async function drawCharts(results: Results): Promise<[string, string][]> {
  const specs: [string, object][] = [
    ["throughput", throughput(results)],
    ["works", works(results)],
    ["latency", latency(results)],
    ["callers", callers(results)],
    ["workers", workers(results)],
    ["processor", halves(results, "Processor time of a call, 64 callers, µs", "goCPU", "nodeCPU")],
    ["memory", halves(results, "Most resident memory, 64 callers, MB", "goPeak", "nodePeak", 1e6)],
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
    title: "Calls per second, 64 callers, one worker",
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { x: "independent" } },
    spec: bars(320, SHOWN, { title: "calls/s" }, { ...colour, legend: null }),
  };
}

/** What a team would call: each work on a scale of its own. */
function works(results: Results): object {
  const shown = ["bare", ...SHOWN, "goja"];
  const values = rowsOf(results, ["rate"], shown).filter(
    ({ callers, work }) => callers === 16 && WORKS.includes(work),
  );
  return {
    title: "Calls per second, 16 callers, one worker",
    data: { values },
    facet: { field: "work", title: null, sort: WORKS },
    columns: 4,
    resolve: { scale: { x: "independent", y: "independent" } },
    spec: bars(
      200,
      shown,
      { title: "calls/s", axis: { tickCount: 3 } },
      { ...colourOf(shown), legend: null },
    ),
  };
}

function latency(results: Results): object {
  const values = rowsOf(results, ["p50", "p99"]).filter(({ work }) => work === "echo-100B");
  return {
    title: "Time of a call of 100 B by the number of callers, µs",
    data: { values },
    facet: { column: { field: "figure", title: null } },
    spec: lines("µs", "value"),
  };
}

function callers(results: Results): object {
  const values = rowsOf(results, ["rate"]).filter(({ work }) => isEcho(work));
  return {
    title: "Calls per second by the number of callers, one worker",
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { y: "independent" } },
    spec: lines("calls/s", "value"),
  };
}

function workers(results: Results): object {
  const values = results.cells
    .filter(({ contender, work }) => contender in WORKERS && isEcho(work))
    .map((cell) => ({ ...cell, workers: WORKERS[cell.contender], value: typical(cell, "rate") }));
  return {
    title: `Calls per second by the number of workers, on ${results.machine.cores} cores`,
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { y: "independent" } },
    spec: {
      width: 320,
      mark: { type: "line", point: true },
      encoding: {
        x: { field: "workers", type: "ordinal" },
        y: { field: "value", type: "quantitative", title: "calls/s" },
        color: { field: "callers", type: "ordinal", title: "callers" },
      },
    },
  };
}

/** A figure of the Go process and of Node's, one on top of the other. */
function halves(
  results: Results,
  title: string,
  go: keyof Figures,
  node: keyof Figures,
  unit = 1,
): object {
  const values = rowsOf(results, [go, node])
    .filter(({ callers, work }) => callers === 64 && isEcho(work))
    .map((row) => ({
      ...row,
      value: row.value / unit,
      process: row.figure === go ? "Go" : "Node",
    }));
  return {
    title,
    data: { values },
    facet: { column: { field: "work", title: null } },
    resolve: { scale: { x: "independent" } },
    spec: bars(320, SHOWN, { title: null }, PROCESS_COLOUR),
  };
}

function start(results: Results): object {
  const values = results.cold.map(({ contender, millis }) => ({
    contender,
    value: median(millis),
  }));
  return {
    title: "Start to first answer (Node by itself: to its end), ms",
    width: 480,
    data: { values },
    mark: "bar",
    encoding: {
      y: { field: "contender", type: "nominal", sort: "x", title: null },
      x: { field: "value", type: "quantitative", title: "ms" },
      color: {
        condition: { test: "indexof(datum.contender, 'rootbridge') == 0", value: "#1a73e8" },
        value: "#9aa0a6",
      },
    },
  };
}

/** A bar for each contender, in the order of `sort`. */
function bars(width: number, sort: string[], x: object, color: object): object {
  return {
    width,
    mark: "bar",
    encoding: {
      y: { field: "contender", type: "nominal", sort, title: null },
      x: { field: "value", type: "quantitative", ...x },
      color,
    },
  };
}

function lines(title: string, field: string): object {
  return {
    width: 320,
    mark: { type: "line", point: true },
    encoding: {
      x: { field: "callers", type: "quantitative", scale: { type: "log", base: 2 } },
      y: { field, type: "quantitative", scale: { type: "log" }, title },
      color: colour,
    },
  };
}

function colourOf(contenders: string[]): object {
  const range = contenders.map((name) => COLOURS[name]);
  return { field: "contender", type: "nominal", scale: { domain: contenders, range }, title: null };
}

interface Row {
  contender: string;
  work: string;
  callers: number;
  figure: string;
  value: number;
}

function rowsOf(results: Results, figures: (keyof Figures)[], shown = SHOWN): Row[] {
  return results.cells
    .filter(({ contender }) => shown.includes(contender))
    .flatMap((cell) =>
      figures.map((figure) => ({
        ...cell,
        figure,
        value: typical(cell, figure),
        rounds: undefined,
      })),
    );
}

function isEcho(work: string): boolean {
  return work === "echo-100B" || work === "echo-2KB";
}
