import { relative, sep } from "node:path";
import { type FSWatcher, watch } from "chokidar";

/** How long, in milliseconds, no file must have changed before a change is told. */
const quietTime = 100;
/** How long, in milliseconds, a change is kept back at most while others follow. */
const patience = 1_000;

/** Tells of changes in a folder: of many at a time once, when they have stopped. */
export class FileWatch {
  /** A file or folder was added, changed or removed. */
  onChange: () => void = () => undefined;
  /** Some changes may go unseen. */
  onError: (error: unknown) => void = () => undefined;

  readonly #closed = Promise.withResolvers<void>();
  #folder: string | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the oldest change came that has not been told; 0 for none. */
  #since = 0;

  /** Watches a folder in place of the one before. Settles when no change goes unseen. */
  async aim(folder: string | undefined): Promise<void> {
    if (folder === undefined || folder === this.#folder) return;
    this.#folder = folder;
    void this.#watcher?.close();
    const ignored = (path: string): boolean => isIgnored(relative(folder, path));
    this.#watcher = watch(folder, { ignored, ignoreInitial: true, followSymlinks: false });
    this.#watcher.on("all", () => this.#note());
    this.#watcher.on("error", (error) => this.onError(error));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watcher.once("ready", resolve);
    await Promise.race([promise, this.#closed.promise]);
  }

  /** Watches nothing any more. */
  async close(): Promise<void> {
    this.#closed.resolve();
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  #note(): void {
    const now = performance.now();
    this.#since ||= now;
    clearTimeout(this.#timer);
    const left = Math.max(0, this.#since + patience - now);
    this.#timer = setTimeout(() => this.#tell(), Math.min(quietTime, left));
  }

  #tell(): void {
    this.#since = 0;
    this.onChange();
  }
}

/** True for what a package's own code is not: installed packages, and what tools hide. */
function isIgnored(path: string): boolean {
  return path.split(sep).some((name) => name === "node_modules" || name.startsWith("."));
}
