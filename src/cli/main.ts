#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RootbridgeError } from "../error.ts";
import { type Arguments, type Command, readArguments, UsageError } from "./arguments.ts";
import { jsonReport, type Report, textReport } from "./report.ts";
import { usage } from "./usage.ts";

/** The exit codes, as `rootbridge --help` lists them. */
const exitCodes = { result: 0, failed: 1, usage: 2, boot: 3, unread: 141 } as const;

/** The oldest Node that execa and p-queue run on. Workers run on older ones. */
const OLDEST_NODE = 22;

async function main(): Promise<void> {
  let report = textReport;
  leaveWhenUnread((error) => report.error(error));
  try {
    const given = readArguments(process.argv.slice(2));
    if (given.json) report = await jsonReport();
    process.exitCode = await run(given, report);
  } catch (error) {
    report.error(error);
    process.exitCode = exitCodeOf(error);
  }
}

/** Settles with the exit code. */
async function run(given: Arguments, report: Report): Promise<number> {
  const { command, help, version } = given;
  if (version) return print(`rootbridge ${ownVersion()}\n`);
  if (help || command === undefined) return print(usage(command));
  requireNode();
  if (command === "worker") outliveReloads();
  const perform = await load[command]();
  return perform(given, report);
}

/** The libraries of the commands fail on an older Node with errors that explain nothing. */
function requireNode(): void {
  if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) return;
  throw new UsageError(
    `the rootbridge command needs Node ${OLDEST_NODE} or newer, and was started with ${process.version}; --node chooses another for the worker`,
  );
}

/** Until the code is loaded there is nothing to reload, and once it has ended neither. */
function outliveReloads(): void {
  if (process.platform !== "win32") process.on("SIGUSR2", () => undefined);
}

/** Loaded when asked for: help and complaints about usage need no host. */
const load: Readonly<Record<Command, () => Promise<Perform>>> = {
  call: async () => (await import("./call.ts")).call,
  worker: async () => (await import("./worker.ts")).worker,
  methods: async () => (await import("./methods.ts")).methods,
};

/** A command; settles with the exit code. */
type Perform = (given: Arguments, report: Report) => Promise<number>;

function print(text: string): number {
  process.stdout.write(text);
  return exitCodes.result;
}

function ownVersion(): string {
  const path = fileURLToPath(import.meta.resolve("#package"));
  return JSON.parse(readFileSync(path, "utf8")).version;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof RootbridgeError)) return exitCodes.failed;
  if (error.code === "boot_failed") return exitCodes.boot;
  const option = error.code === "invalid_argument" && error.method === undefined;
  return option ? exitCodes.usage : exitCodes.failed;
}

/** A reader such as `head` has enough: like any filter, end without a word. Workers follow. */
function leaveWhenUnread(tell: (error: Error) => void): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.unread);
    tell(new Error(`stdout can't be written: ${error.message}`, { cause: error }));
    process.exit(exitCodes.failed);
  });
  process.stderr.on("error", () => undefined);
}

await main();
