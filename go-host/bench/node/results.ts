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
}

/** A file that bench wrote. */
export interface Results {
  /** Another, whose rounds are of processes of their own each: where it has both of what is compared, it counts. */
  anew?: Results;
  machine: Machine;
  /** `duration` is in nanoseconds. */
  plan: { rounds: number; duration: number; cold: number };
  cells: Cell[];
  cold: { contender: string; millis: number[] }[];
  idle: {
    seconds: number;
    goCPU: number;
    nodeCPU: number;
    goMemory: number;
    goBefore: number;
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

/** Half of the values are at most this. */
export function median(values: readonly number[]): number {
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
 * What one contender's figure is of another's in the same round, for each: what else the machine did met both.
 */
export function ratios(
  results: Results,
  figure: keyof Figures,
  of: string,
  to: string,
  work: string,
  callers: number,
  otherWork: string = work,
): number[] {
  const anew = results.anew ? ratios(results.anew, figure, of, to, work, callers, otherWork) : [];
  if (anew.length > 0) return anew;
  const one = cellOf(results, of, work, callers);
  const other = cellOf(results, to, otherWork, callers);
  if (!one || !other) return [];
  return one.rounds.map((round, i) => round[figure] / (other.rounds[i]?.[figure] ?? Number.NaN));
}
