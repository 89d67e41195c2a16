import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** Opens both ends of a named pipe, which is unlinked at once. Reads never wait, and writes only without O_NONBLOCK. */
export function openFifo(writeFlags = 0): { reading: number; writing: number } {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const reading = openSync(path, O_RDONLY | O_NONBLOCK);
  const writing = openSync(path, O_WRONLY | writeFlags);
  rmSync(folder, { recursive: true });
  return { reading, writing };
}
