import type { Stats } from "../protocol/message.ts";
import { eventLoopUtilization, getHeapStatistics, residentSize } from "./intrinsics.ts";

/** What this process uses. A look takes some 12 microseconds, most of them for /proc. */
export class Usage {
  #loop = lookAtLoop();

  /** Event-loop utilization is that since the last look, or since construction. What can't be told is left out. */
  read(): Stats {
    const stats: Stats = {};
    quietly(() => this.#readLoop(stats));
    quietly(() => readHeap(stats));
    quietly(() => {
      stats.rss = residentSize(); // fails where no descriptor is left
    });
    return stats;
  }

  #readLoop(stats: Stats): void {
    const loop = lookAtLoop();
    if (!(loop && this.#loop)) return;
    const { utilization } = eventLoopUtilization(loop, this.#loop);
    this.#loop = loop;
    if (utilization >= 0) stats.elu = utilization > 1 ? 1 : utilization;
  }
}

/** Node asks process.hrtime, which may be user code's. */
function lookAtLoop(): ReturnType<typeof eventLoopUtilization> | undefined {
  try {
    return eventLoopUtilization();
  } catch {
    return undefined;
  }
}

function readHeap(stats: Stats): void {
  const heap = getHeapStatistics();
  stats.heapUsed = heap.used_heap_size;
  stats.heapLimit = heap.heap_size_limit;
  stats.external = heap.external_memory;
}

/** Numbers are advice: a worker does not fail for lack of them. */
function quietly(read: () => void): void {
  try {
    read();
  } catch {
    // The number stays out.
  }
}
