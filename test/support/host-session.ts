import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Convention,
  type Host,
  type Options,
  type Reply,
  RootbridgeError,
  start,
} from "../../src/index.ts";
import { testNode } from "./host.ts";
import { allowOnly, bytes, type Case, pathOf, valueDiffers } from "./vectors.ts";

/** A script that plays a worker against a real host. */
export interface HostSession extends Case {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly start_error?: object;
  /** For the scripted worker. */
  readonly workers: readonly Script[];
  readonly host: Script;
}

type Script = readonly Readonly<Record<string, unknown>>[];

/** Keys of a case, for readCases. */
export const hostKeys: readonly string[] = ["options", "start_error", "workers", "host"];

/** A host and what a script has done with it so far. */
interface Play {
  readonly host: Host;
  readonly logs: LogRecords;
  readonly calls: Map<string, StartedCall>;
}

interface StartedCall {
  readonly controller: AbortController;
  readonly outcome: Promise<{ result?: unknown; type?: string; error?: unknown }>;
}

const program = fileURLToPath(new URL("scripted-worker.mjs", import.meta.url));

/** Plays a script of a file against a host. Rejects with what went otherwise. */
export async function playHostSession(name: string, session: HostSession): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-session-"));
  try {
    await playWithHost(name, session, folder);
    checkWorkers(folder, session.workers);
  } catch (error) {
    throw new Error([String(error), ...failures(folder)].join("\n"), { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function playWithHost(name: string, session: HostSession, folder: string): Promise<void> {
  const logs = new LogRecords();
  const command = [testNode, program, pathOf(name), session.id, folder];
  const options = { ...hostOptions(session), workers: 1, command, logger: logs.logger };
  const started = await start(options).catch((error: unknown) => ({ error }));
  if ("error" in started) {
    checkError("start", session.start_error, started.error);
    return;
  }
  try {
    assert.equal(session.start_error, undefined, "expected the host not to start");
    const play = { host: started, logs, calls: new Map() };
    for (const [i, step] of session.host.entries()) {
      await playStep(step, play).catch((error) => {
        throw new Error(`host, step ${i + 1}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    await started.close();
  }
}

function hostOptions({ options = {} }: HostSession): Options {
  const names: Record<string, string> = {
    codec: "codec",
    convention: "convention",
    max_payload: "maxPayload",
    boot_timeout: "bootTimeout",
    kill_grace: "killGrace",
  };
  allowOnly("options", options, Object.keys(names));
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [names[key], value]));
}

/** Looks whether each scripted worker got all that it expects. */
function checkWorkers(folder: string, scripts: readonly Script[]): void {
  for (const [i, script] of scripts.entries()) {
    const passed = !expects(script) || existsSync(join(folder, `${i + 1}.passed`));
    assert.ok(passed, `worker ${i + 1} did not get all that it expects`);
  }
  assert.deepEqual(failures(folder), []);
}

/** Tells whether a script waits for anything. One that does not may be killed before it began. */
function expects(script: Script): boolean {
  const keys = ["open", "expect", "expect_unordered", "expect_end"];
  return script.some((step) => keys.some((key) => key in step));
}

function failures(folder: string): string[] {
  const failed = readdirSync(folder).filter((file) => file.endsWith(".failed"));
  return failed.map((file) => `worker ${file}: ${readFileSync(join(folder, file), "utf8")}`);
}

const players: Readonly<Record<string, (value: never, play: Play) => unknown>> = {
  call: startCall,
  expect: expectOutcome,
  cancel: (name: string, { calls }) => called(calls, name).controller.abort(),
  methods: (expected: unknown, { host }) => differ(expected, [...host.methods], "methods"),
  log: (expected: object, { logs }) => logs.find(expected),
  counts: (expected: object, { host }) =>
    differ(expected, { late_replies: host.stats().lateReplies }, "counts"),
  close: (_: true, { host }) => host.close(),
};

async function playStep(step: Readonly<Record<string, unknown>>, play: Play): Promise<void> {
  const [[name, value], more] = Object.entries(step) as [[string, unknown], unknown];
  const player = players[name];
  if (player === undefined || more !== undefined) {
    throw new Error(`expected a step with one of the keys ${Object.keys(players).join(", ")}`);
  }
  await player(value as never, play);
}

interface CallStep {
  readonly as: string;
  readonly method: string;
  readonly value?: unknown;
  readonly hex?: string;
  readonly depth?: number;
  readonly timeout?: number;
  readonly trace_id?: string;
  readonly traceparent?: string;
  readonly convention?: Convention;
}

function startCall(step: CallStep, { host, calls }: Play): void {
  const { as, method, timeout, trace_id: traceId, traceparent, convention } = step;
  const known = "as method value hex depth timeout trace_id traceparent convention";
  allowOnly("call", step, known.split(" "));
  const controller = new AbortController();
  const given = Object.entries({ timeout, traceId, traceparent, convention });
  const options = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  const { signal } = controller;
  let type = "";
  const onReply = ({ contentType = "" }: Reply): void => {
    type = contentType;
  };
  const call = host.call(method, argumentOf(step), { ...options, signal, onReply });
  const outcome = call.then(
    (result) => ({ result, type }),
    (error: unknown) => ({ error }),
  );
  calls.set(as, { controller, outcome });
}

function argumentOf({ value, hex, depth }: CallStep): unknown {
  if (hex !== undefined) return bytes(hex);
  if (depth === undefined) return value;
  let nested: unknown[] = [];
  for (let level = 1; level < depth; level++) nested = [nested];
  return nested;
}

function called(calls: Play["calls"], name: string): StartedCall {
  const call = calls.get(name);
  if (call === undefined) throw new Error(`no call is named ${name}`);
  return call;
}

interface Expected {
  readonly of: string;
  readonly value?: unknown;
  readonly part?: unknown;
  readonly hex?: string;
  readonly depth?: number;
  readonly none?: true;
  readonly error?: object;
  readonly content_type?: string;
}

async function expectOutcome(expected: Expected, { calls }: Play): Promise<void> {
  const known = "of value part hex depth none error content_type";
  allowOnly("expect", expected, known.split(" "));
  const { of, value, part, hex, depth, none, error, content_type: contentType = "" } = expected;
  const outcome = await called(calls, of).outcome;
  if (error !== undefined || "error" in outcome) {
    checkError(of, error, outcome.error);
    return;
  }
  const { result, type } = outcome;
  assert.equal(type, contentType, of);
  if (hex !== undefined) assert.deepEqual(result, bytes(hex), of);
  else if (depth !== undefined) checkDepth(result, depth);
  else if (none) assert.equal(result, undefined, of);
  else if (part !== undefined) differ(part, result, of, true);
  else if (value === undefined) throw new Error("expected value, part, hex, depth, none or error");
  else differ(value, result, of);
}

function checkDepth(value: unknown, depth: number): void {
  let inner = value;
  for (let level = 0; level < depth; level++) {
    assert.ok(Array.isArray(inner), `expected ${depth} levels of lists, got ${level}`);
    inner = inner[0];
  }
  assert.equal(inner, undefined, `expected ${depth} levels of lists, got more`);
}

function checkError(what: string, expected: object | undefined, error: unknown): void {
  if (expected === undefined) throw error;
  assert.ok(error instanceof RootbridgeError, `${what}: expected a RootbridgeError, got ${error}`);
  const object = JSON.parse(JSON.stringify({ ...error.toJSON(), stderr: error.stderr ?? "" }));
  differ(expected, object, what, true);
}

function differ(expected: unknown, value: unknown, path: string, partly = false): void {
  const difference = valueDiffers(expected, value, path, partly);
  if (difference !== undefined) throw new Error(difference);
}

/** Keeps what a host logs, as objects with level, text and the fields. */
class LogRecords {
  readonly #records: object[] = [];
  #wake: () => void = () => undefined;

  readonly logger: Required<Options>["logger"] = {
    debug: (fields, text) => this.#add("debug", fields, text),
    info: (fields, text) => this.#add("info", fields, text),
    warn: (fields, text) => this.#add("warn", fields, text),
    error: (fields, text) => this.#add("error", fields, text),
  };

  /** Waits for a record with these keys at least. */
  async find(expected: object): Promise<void> {
    for (let next = 0; ; next++) {
      while (next >= this.#records.length) await this.#more();
      if (valueDiffers(expected, this.#records[next], "log", true) === undefined) return;
    }
  }

  #add(level: string, fields: object, text: string): void {
    this.#records.push({ level, text, ...fields });
    this.#wake();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
