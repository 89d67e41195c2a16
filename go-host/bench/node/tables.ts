import { isDeepStrictEqual } from "node:util";
import { type Goal, goalsOf, isReached, roundsReached } from "./goals.ts";
import { type Cell, least, type Machine, median, type Results, typical } from "./results.ts";

/** Of rows of `Results.anew`. */
const MARK = "•";

/** What docs/benchmarks.md says in figures. */
export function makeTables(results: Results): string {
  return [
    machineText(results),
    goalTable(results),
    coldTable(results),
    idleText(results),
    ...cellTables(results),
  ].join("\n");
}

function machineText(results: Results): string {
  return `${runText(results)}\n${versionsText(results.machine)}`;
}

function runText({ machine, plan }: Results): string {
  const { time, cpu, cores, memory, kernel, go, node, revision } = machine;
  const size = memory === undefined ? [] : [`${significant(memory / 1e9)} GB of memory`];
  const code = revision ? [`revision ${revision}`] : [];
  const parts = [cpu, `${cores} cores`, ...size, kernel, go, `Node ${node}`, ...code];
  return `${time.slice(0, 10)}: ${parts.join(", ")}; medians of ${plan.rounds} rounds of ${plan.duration / 1e9} s.`;
}

function versionsText({ versions = {} }: Machine): string {
  const all = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return all.length > 0 ? `\nWith ${all.join(", ")}.\n` : "";
}

function idleText({ idle }: Results): string {
  const [go, ready, worked] = [idle.goMemory - idle.goBefore, idle.nodeReady, idle.nodeMemory].map(
    (bytes) => `${significant(bytes / 1e6)} MB`,
  );
  return `A worker with these functions holds ${ready} when it is ready, and ${worked} at rest after ${significant(idle.calls)} calls of 16 callers, for which the host took ${go} beyond Go's own.\n`;
}

function goalTable(results: Results): string {
  const rows = goalsOf(results).map((goal) => [
    goal.what,
    bound(goal),
    amount(goal),
    spread(goal),
    verdict(goal),
  ]);
  return `### What is to be reached\n\n${sourcesText(results)}${table(["", "goal", "here", "in the rounds", ""], rows)}`;
}

/** Where rows come from, if not all are of one run. */
function sourcesText({ machine, anew }: Results): string {
  if (!anew) return "";
  const versions = isDeepStrictEqual(anew.machine.versions, machine.versions)
    ? ""
    : versionsText(anew.machine);
  return `Rows with a ${MARK} are of a run with new processes for each round (${runText(anew).slice(0, -1)}), all other rows, the tables below and the charts of the run above.\n${versions}\n`;
}

function bound({ least, most, unit = "times" }: Goal): string {
  if (least !== undefined) return `at least ${least} ${unit}`;
  return most === undefined ? "" : `at most ${most} ${unit}`;
}

/** Of one more digit where fewer would look like its bound. */
function amount({ value, unit = "times", least, most }: Goal): string {
  if (Number.isNaN(value)) return "not measured";
  const short = Number(value.toPrecision(3));
  const isClose = short !== value && (short === least || short === most);
  return `${isClose ? value.toPrecision(4) : significant(value)} ${unit}`;
}

function spread({ rounds = [], anew }: Goal): string {
  if (rounds.length === 0) return "";
  return `${significant(Math.min(...rounds))} to ${significant(Math.max(...rounds))}${anew ? ` ${MARK}` : ""}`;
}

/** That of the middle, and how many of the rounds are as good. */
function verdict(goal: Goal): string {
  const reached = isReached(goal);
  if (reached === undefined) return "";
  const { length = 0 } = goal.rounds ?? [];
  return `${reached ? "✓" : "✗"}${length > 0 ? ` ${roundsReached(goal)} of ${length}` : ""}`;
}

function coldTable({ cold }: Results): string {
  const rows = cold.map(({ contender, millis }) => [
    contender,
    ...[median(millis), Math.min(...millis), Math.max(...millis)].map((ms) => ms.toFixed(1)),
  ]);
  return `### Start, in ms: Node by itself to its end, all others to their first answer or until they are ready\n\n${table(["", "median", "least", "most"], rows)}`;
}

function cellTables({ cells }: Results): string[] {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const name = `${cell.work}, ${cell.callers} ${cell.callers === 1 ? "caller" : "callers"}`;
    groups.set(name, [...(groups.get(name) ?? []), cell]);
  }
  const head = [
    "",
    "calls/s",
    "spread",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "Go µs",
    "Node µs",
    "both µs",
    "allocations",
    "Go MB",
    "Node MB",
  ];
  return [...groups].map(([name, some]) => `### ${name}\n\n${table(head, some.map(cellRow))}`);
}

function cellRow(cell: Cell): string[] {
  const rates = cell.rounds.map(({ rate }) => rate);
  const spread = ((Math.max(...rates) - Math.min(...rates)) / median(rates)) * 100;
  return [
    cell.contender,
    significant(typical(cell, "rate")),
    `${spread.toFixed(0)} %`,
    ...(["p50", "p99", "p999", "goCPU", "nodeCPU"] as const).map((f) =>
      significant(typical(cell, f)),
    ),
    significant(median(cell.rounds.map(({ goCPU, nodeCPU }) => goCPU + nodeCPU))),
    significant(typical(cell, "allocs")),
    ...(["goPeak", "nodePeak"] as const).map((f) => (least(cell, f) / 1e6).toFixed(0)),
  ];
}

/** Three digits count. */
function significant(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1_000 ? rounded.toLocaleString("en") : String(rounded);
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |\n`;
  return (
    line(head) + line(head.map((_, i) => (i === 0 ? "---" : "---:"))) + rows.map(line).join("")
  );
}
