import { existsSync, readFileSync } from "node:fs";

/** What one contender did with one work in one round. Times are in microseconds, sizes in bytes. */
export interface Figures {
  calls: number;
  rate: number;
  p50: number;
  p99: number;
  p999: number;
  goCPU: number;
  nodeCPU: number;
  allocs: number;
  goPeak: number;
  nodePeak: number;
}

export interface Cell {
  contender: string;
  work: string;
  callers: number;
  rounds: Figures[];
}

export interface Machine {
  cpu: string;
  cores: number;
  kernel: string;
  go: string;
  node: string;
  time: string;
  /** In bytes. */
  memory?: number;
  /** Of this repository, with a + for changes. */
  revision?: string;
  /** Of what contenders are made, by name. */
  versions?: Record<string, string>;
}

/** A file that bench wrote. */
export interface Results {
  /** Another, whose rounds are of processes of their own each: where it has all that a row compares, it counts. */
  anew?: Results;
  machine: Machine;
  /** `duration` is in nanoseconds. */
  plan: { rounds: number; duration: number; cold: number };
  cells: Cell[];
  cold: { contender: string; millis: number[] }[];
  idle: {
    seconds: number;
    calls: number;
    goCPU: number;
    nodeCPU: number;
    goBefore: number;
    goMemory: number;
    nodeReady: number;
    nodeMemory: number;
  };
}

/** `fileOfGoals` need not be there. */
export function readResults(file: string, fileOfGoals: string): Results {
  return existsSync(fileOfGoals) ? { ...read(file), anew: read(fileOfGoals) } : read(file);
}

function read(file: string): Results {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The cell of a contender, if it was measured. */
export function cellOf(
  results: Results,
  contender: string,
  work: string,
  callers: number,
): Cell | undefined {
  return results.cells.find(
    (c) => c.contender === contender && c.work === work && c.callers === callers,
  );
}

/** Half of the values are at most this; NaN if one of them is, which has no place among others. */
export function median(values: readonly number[]): number {
  if (values.some(Number.isNaN)) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (
    ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
  );
}

/** The median of one figure over the rounds; NaN for a cell that was not measured. */
export function typical(cell: Cell | undefined, figure: keyof Figures): number {
  return median(cell?.rounds.map((round) => round[figure]) ?? []);
}

/**
 * The least of one figure over the rounds, for memory: what a process has needed for another work before it may keep. NaN for a
 * cell that was not measured.
 */
export function least(cell: Cell | undefined, figure: keyof Figures): number {
  return cell ? Math.min(...cell.rounds.map((round) => round[figure])) : Number.NaN;
}

/** One contender's figure beside another's, and if need be another work's. */
export type Comparison = [
  figure: keyof Figures,
  of: string,
  to: string,
  work: string,
  callers: number,
  otherWork?: string,
];

export interface Compared {
  /** True where all are of `Results.anew`, false where none is. */
  anew: boolean;
  /** For each comparison what comes of it in each round; none where it was not measured. */
  rounds: number[][];
}

/**
 * What one figure is of another in the same round, for each: what else the machine did met both. All are of one file, as
 * what two runs found is not to be mixed.
 */
export function ratios(results: Results, comparisons: readonly Comparison[]): Compared {
  return inRounds(results, comparisons, (one, other) => one / other);
}

/** How much more one figure is than another in the same round, for each. */
export function differences(results: Results, comparisons: readonly Comparison[]): Compared {
  return inRounds(results, comparisons, (one, other) => one - other);
}

type Operation = (one: number, other: number) => number;

function inRounds(
  results: Results,
  comparisons: readonly Comparison[],
  operation: Operation,
): Compared {
  const of = (some: Results) => comparisons.map((each) => roundsIn(some, each, operation));
  const anew = results.anew && of(results.anew);
  return anew?.every(({ length }) => length > 0)
    ? { anew: true, rounds: anew }
    : { anew: false, rounds: of(results) };
}

function roundsIn(
  results: Results,
  [figure, of, to, work, callers, otherWork = work]: Comparison,
  operation: Operation,
): number[] {
  const one = cellOf(results, of, work, callers)?.rounds;
  const other = cellOf(results, to, otherWork, callers)?.rounds;
  if (!one || !other) return [];
  const figures = (rounds: readonly Figures[]) => rounds.map((round) => round[figure]);
  return paired(figures(one), figures(other), operation);
}

/** What one value is of the other of the same round. */
export function ratiosOf(some: readonly number[], others: readonly number[]): number[] {
  return paired(some, others, (one, other) => one / other);
}

/** A round that only one of both has is NaN. */
function paired(some: readonly number[], others: readonly number[], of: Operation): number[] {
  return Array.from({ length: Math.max(some.length, others.length) }, (_, i) =>
    of(some[i] ?? Number.NaN, others[i] ?? Number.NaN),
  );
}
