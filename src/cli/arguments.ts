import { parseArgs } from "node:util";
import type { Codec, Convention } from "../../protocol/message.ts";
import type { Options } from "../options.ts";

/** A command line that can't be understood. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** The commands and the names of what they take, a name in brackets being optional. */
export const commands = {
  call: ["FILE", "METHOD", "[JSON]"],
  worker: ["FILE"],
  methods: ["FILE"],
} as const;
export type Command = keyof typeof commands;

/** Every flag, each with what help says of it. */
export const flags = {
  convention: {
    type: "string",
    of: "NAME",
    help: "value (default), args, callback, args_callback, lambda",
  },
  codec: { type: "string", of: "NAME", help: "json (default) or msgpack" },
  timeout: {
    type: "string",
    of: "TIME",
    help: "longest time of a call, such as 500ms or 2m (default 30s)",
  },
  "boot-timeout": {
    type: "string",
    of: "TIME",
    help: "longest time for the code to load (default 30s)",
  },
  "trace-id": { type: "string", of: "ID", help: "comes back on the call's log lines" },
  output: { type: "string", short: "o", of: "PATH", help: "write the result to a file" },
  dir: { type: "string", of: "PATH", help: "working directory (default: the package of FILE)" },
  env: {
    type: "string",
    multiple: true,
    of: "KEY=VALUE",
    help: "add to the environment; may be repeated",
  },
  node: { type: "string", of: "PATH", help: "the Node to run (default: the one that runs this)" },
  "node-arg": {
    type: "string",
    multiple: true,
    of: "ARG",
    help: "argument for Node, as in --node-arg=--no-warnings; may be repeated",
  },
  watch: { type: "boolean", help: "reload when a file in the package of FILE changes" },
  json: { type: "boolean", help: "results on one line, errors and log lines as JSON" },
  help: { type: "boolean", short: "h", help: "show this and exit" },
  version: { type: "boolean", help: "show the version and exit" },
} as const;

type Flag = keyof typeof flags;

const ofCode: readonly Flag[] = ["boot-timeout", "dir", "env", "node", "node-arg"];
const ofCalls: readonly Flag[] = ["convention", "timeout", ...ofCode];

/** The flags that each command has, beside --version, in the order of its help. */
export const flagsOf: Readonly<Record<Command, readonly Flag[]>> = {
  call: ["codec", ...ofCalls, "trace-id", "output", "json", "help"],
  worker: [...ofCalls, "watch", "json", "help"],
  methods: [...ofCode, "json", "help"],
};

/** A command line that has been understood. */
export interface Arguments {
  readonly command: Command | undefined;
  /** FILE, METHOD, JSON, as far as given. */
  readonly operands: readonly string[];
  readonly help: boolean;
  readonly version: boolean;
  readonly json: boolean;
  readonly output: string | undefined;
  readonly traceId: string | undefined;
  /** For a host or worker, FILE included. */
  readonly options: Options;
}

/** Reads a command line, without the program's name. Throws a UsageError. */
export function readArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const { help = false, version = false, json = false, output } = values;
  const [word, ...operands] = positionals;
  const rest = { operands, help, version, json, output, traceId: values["trace-id"] };
  if (help || version) return { ...rest, command: isCommand(word) ? word : undefined, options: {} };
  const command = checkCommand(word);
  checkOperands(command, operands);
  checkFlags(command, Object.keys(values) as Flag[]);
  return { ...rest, command, options: optionsOf(values, operands[0] ?? "") };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function isCommand(word: string | undefined): word is Command {
  return word !== undefined && Object.hasOwn(commands, word);
}

function checkCommand(word: string | undefined): Command {
  if (isCommand(word)) return word;
  const got = word === undefined ? "nothing" : `"${word}"`;
  throw new UsageError(`expected a command (${Object.keys(commands).join(", ")}), got ${got}`);
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const names = commands[command];
  const least = names.filter((name) => !name.startsWith("[")).length;
  if (operands.length >= least && operands.length <= names.length) return;
  throw new UsageError(`${command}: expected ${names.join(" ")}, got ${operands.length} of them`);
}

function checkFlags(command: Command, given: readonly Flag[]): void {
  const known = flagsOf[command];
  const wrong = given.find((flag) => !known.includes(flag));
  if (wrong === undefined) return;
  const all = known.map((flag) => `--${flag}`).join(", ");
  throw new UsageError(`${command}: expected flags of ${all}, got --${wrong}`);
}

function optionsOf(values: ReturnType<typeof parse>["values"], entry: string): Options {
  const { dir, node, convention, codec } = values;
  return {
    entry,
    workers: 1,
    nodeArgs: values["node-arg"] ?? [],
    env: Object.fromEntries((values.env ?? []).map(readVariable)),
    ...(dir === undefined ? {} : { dir }),
    ...(node === undefined ? {} : { node }),
    ...(convention === undefined ? {} : { convention: convention as Convention }),
    ...(codec === undefined ? {} : { codec: codec as Codec }),
    ...(values.watch ? { watch: true } : {}),
    ...time("callTimeout", "timeout", values.timeout),
    ...time("bootTimeout", "boot-timeout", values["boot-timeout"]),
  };
}

/** The value may be a secret, so errors don't show it. */
function readVariable(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError("env: expected KEY=VALUE");
  return [text.slice(0, at), text.slice(at + 1)];
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

function time(option: "callTimeout" | "bootTimeout", flag: string, text: string | undefined) {
  if (text === undefined) return {};
  const [, number, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  const milliseconds = Number(number) * (units[unit] ?? 1);
  if (milliseconds >= 1) return { [option]: milliseconds };
  throw new UsageError(`${flag}: expected a time such as 500, 500ms, 2s or 1m, got "${text}"`);
}
