import { existsSync } from "node:fs";
import { finished, type Readable, type Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Generation } from "./generation.ts";
import { lambdaEnvironment } from "./lambda.ts";
import { LineCutter } from "./line-cutter.ts";
import type { Settings } from "./options.ts";

/** How a worker ended: one of both is set, or neither when it could not be started. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Why it could not be started. */
  readonly cause?: unknown;
}

/** A running worker program and the streams that carry its frames. */
export interface WorkerProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when the process is gone and its stderr was read; it never rejects. */
  readonly exited: Promise<Exit>;
  /** The last 8 KiB of its stderr and of the lines kept, for errors. */
  stderrTail(): string;
  /** Adds a line that it printed elsewhere. */
  keepLine(line: string): void;
  /** Signals the worker and all descendants that stayed in its process group. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Asks the worker to have itself replaced, by SIGUSR2. Never on Windows. */
  askForReplacement(): void;
  /** Closes its streams, whoever else may hold them. */
  discard(): void;
}

/**
 * Starts a worker of a generation. On POSIX it is a shell that becomes the worker: Node gives its
 * children sockets, which a worker can't move aside by itself. So the shell hands the protocol over
 * on descriptors 3 and 4, with /dev/null as stdin and stderr as stdout.
 */
export function spawnWorker(
  settings: Settings,
  generation: Generation,
  onStderr: (line: string) => void,
): WorkerProcess {
  const guard = startGuard();
  const subprocess = launch(settings, generation);
  const gone = awaitExit(subprocess);
  guard.watch(subprocess.pid);
  subprocess.stdin.on("error", ignore);
  const tail = new Tail();
  readStderr(subprocess.stderr, tail, onStderr);
  let alive = subprocess.pid !== undefined;
  const signal = (target: number, name: NodeJS.Signals): void => {
    if (alive) kill(target, name); // later its id may belong to another
  };
  const pid = subprocess.pid ?? 0;
  void gone.then(() => {
    signal(-pid, "SIGKILL"); // what it left in its group
    alive = false;
  });
  const exited = gone.then(async (exit) => {
    await Promise.all([drain(subprocess.stderr), guard.dismiss()]);
    return exit;
  });
  return {
    pid: subprocess.pid,
    input: subprocess.stdin,
    output: subprocess.stdout,
    exited,
    stderrTail: () => tail.text,
    keepLine: (line) => tail.add(`${line}\n`),
    kill: (name) => {
      if (alive) subprocess.kill(name);
    },
    askForReplacement: () => {
      if (process.platform !== "win32") signal(pid, "SIGUSR2");
    },
    discard: () => {
      for (const stream of subprocess.stdio) stream?.destroy();
    },
  };
}

/** What a Node says of its version, such as `v24.1.0`, or why it says nothing. */
export async function askVersion(node: string): Promise<{ version: string; failure?: string }> {
  // Without NODE_OPTIONS no preload runs, or fails once more, in a mere question.
  const { stdout, code, timedOut } = await execa(node, ["--version"], {
    env: { NODE_OPTIONS: undefined },
    timeout: 5_000,
    reject: false,
  });
  const failure = timedOut ? "it does not answer --version within 5 s" : code;
  return { version: stdout, ...(failure === undefined ? {} : { failure }) };
}

type Subprocess = ReturnType<typeof launch>;

function launch(settings: Settings, generation: Generation) {
  return execa(...commandLine(settings, generation), {
    cwd: generation.dir,
    env: environment(settings, generation),
    extendEnv: !settings.replaceEnv,
    stdio: "pipe",
    buffer: false,
    reject: false,
    killDescendants: true,
    forceKillAfterDelay: false,
    windowsHide: true,
  });
}

/** The worker program, where this package and the Go module both have it. */
const workerProgram = fileURLToPath(
  new URL("go-host/internal/process/start.cjs", import.meta.resolve("#package")),
);

const shell = "/bin/sh";
/** A program that is missing is said by the host. */
const moveStdio = `command -v "$1" >/dev/null || exit 127; exec "$@" 3<&0 4>&1 0</dev/null 1>&2`;

function commandLine(settings: Settings, generation: Generation): [string, string[]] {
  const [program = "", ...args] = settings.command ?? nodeCommand(settings, generation);
  if (!hasShell() || settings.command !== undefined) return [program, args];
  return [shell, ["-c", moveStdio, "rootbridge", program, ...args]];
}

function nodeCommand({ node, nodeArgs }: Settings, { entry }: Generation): string[] {
  return [node, ...nodeArgs, workerProgram, ...(entry === undefined ? [] : [entry])];
}

function environment(
  settings: Settings,
  generation: Generation,
): Record<string, string | undefined> {
  const { command, convention } = settings;
  const env = convention === "lambda" ? lambdaEnvironment(settings, generation) : settings.env;
  return hasShell() && command === undefined ? { ...env, ROOTBRIDGE_FDS: "3,4" } : { ...env };
}

function hasShell(): boolean {
  return process.platform !== "win32" && existsSync(shell);
}

/** Kills a worker's group when this process dies. */
interface Guard {
  /** Begins with the worker's process id. */
  watch(group: number | undefined): void;
  /** Settles when the guard has ended, leaving the group as it is. */
  dismiss(): Promise<unknown>;
}

/**
 * A worker in an endless loop does not notice that its host was killed. So a shell waits for a line,
 * or for the end of its stdin, which only this process holds at its other end: no line means that
 * this process is gone. Signals to many processes at a time do not end it. It is a child of this
 * process and not of the worker, so that as PID 1 this process waits for it.
 */
const guardScript = `trap '' HUP INT QUIT TERM USR1 USR2
read -r group && { read -r _ || kill -KILL "-$group"; }`;

/** On Windows the job object of Node does the same. */
function startGuard(): Guard {
  if (!hasShell()) return { watch: ignore, dismiss: async () => undefined };
  const guard = execa(shell, ["-c", guardScript], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    cwd: "/",
    detached: true, // a signal to the group of this process is not for it
    buffer: false,
    reject: false,
  });
  const { stdin } = guard;
  stdin.on("error", ignore);
  let farewell = "";
  return {
    watch: (group) => {
      if (group === undefined) return;
      stdin.write(`${group}\n`);
      farewell = "\n";
    },
    dismiss: () => {
      stdin.end(farewell);
      return guard;
    },
  };
}

/** It may have ended meanwhile. */
function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // Nobody is left to be signalled.
  }
}

/** The process's own exit: execa waits for its streams too, which a stray descendant may keep open. */
function awaitExit(subprocess: Subprocess): Promise<Exit> {
  return new Promise((resolve) => {
    subprocess.nodeChildProcess.once("exit", (code, signal) => {
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
    void subprocess.then((result) => {
      resolve({ code: result.exitCode, signal: result.signal, cause: result.cause });
    });
  });
}

/** How long, in milliseconds, the stderr of a process that is gone is still read. */
const drainTime = 500;

/** Waits for its last words, but not for a descendant that left the group and holds it open. */
function drain(stderr: Readable): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, drainTime);
    finished(stderr, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Characters kept of what a worker printed last on stderr. */
const tailLimit = 8_192;

/** The end of a text that grows. */
class Tail {
  text = "";

  add(more: string): void {
    this.text = (this.text + more).slice(-tailLimit);
  }
}

/** Hands on lines and keeps the end of everything. */
function readStderr(stderr: Readable, tail: Tail, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  const lines = new LineCutter(onLine);
  stderr.on("data", (chunk: Buffer) => {
    tail.add(decoder.write(chunk));
    lines.write(chunk);
  });
  stderr.on("close", () => lines.end());
  stderr.on("error", ignore);
}

function ignore(): void {
  // The process's end tells the same, with more.
}
