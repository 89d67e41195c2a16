// A worker that plays its part of a session script (protocol/vectors/README.md) against the host that started it:
//
//   node scripted-worker.mjs FILE CASE FOLDER
//
// The n-th worker that a host starts plays the n-th list of `workers`. It leaves n.passed in FOLDER once everything that
// it expects has come, and n.failed with the reason when something else has.
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
// biome-ignore lint/correctness/useImportExtensions: session.d.mts has its types, and is no other extension
import * as session from "./session.mjs";

const { allowOnly, bytes, describe, encodeFrames, expectFrames, Inbox, Splitter } = session;
const [file, caseId, folder] = process.argv.slice(2);
const number = claimNumber();
const inbox = new Inbox();
const names = new Map();
const context = { names, idOf: (name) => names.get(name) ?? fail(`no call is named ${name}`) };
let answersPings = true;
let closed = false;

async function main() {
  const { cases } = JSON.parse(readFileSync(file, "utf8"));
  const { workers } = cases.find(({ id }) => id === caseId);
  const steps = workers[number - 1] ?? [{ open: {} }];
  readInput();
  const lastExpected = steps.findLastIndex((step) => isExpecting(step));
  if (lastExpected < 0) pass();
  for (const [i, step] of steps.entries()) {
    await play(step).catch((error) => fail(`step ${i + 1}: ${error.stack}`));
    if (i === lastExpected) pass();
  }
  await finish();
}

function claimNumber() {
  for (let n = 1; ; n++) {
    try {
      closeSync(openSync(join(folder, `${n}.started`), "wx"));
      return n;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

function isExpecting(step) {
  return ["open", "expect", "expect_unordered", "expect_end"].some((key) => key in step);
}

function pass() {
  writeFileSync(join(folder, `${number}.passed`), "");
}

function fail(reason) {
  writeFileSync(join(folder, `${number}.failed`), reason);
  process.exit(98);
}

function readInput() {
  const splitter = new Splitter((frame) => {
    if (frame.kind === "stats") return; // as a worker that knows none
    if (frame.kind === "ping" && answersPings)
      send({ kind: "pong", hex: frame.payload.toString("hex") });
    else inbox.add(frame);
  });
  process.stdin.on("data", (chunk) => {
    try {
      splitter.push(chunk);
    } catch (error) {
      fail(error.stack);
    }
  });
  process.stdin.on("end", () => inbox.end());
  process.stdin.on("error", () => inbox.end());
  process.stdout.on("error", () => undefined); // the host may be done with this worker
}

const players = {
  open,
  send,
  send_hex: (hex) => write(bytes(hex)),
  send_text: (text) => write(Buffer.from(text)),
  print_error: (text) => new Promise((resolve) => process.stderr.write(text, resolve)),
  expect: (pattern) => expectFrames(inbox, [pattern], context),
  expect_unordered: (patterns) => expectFrames(inbox, patterns, context),
  expect_end: expectEnd,
  answer_pings: (answers) => {
    answersPings = answers;
  },
  close_stdout: () => closeSync(1),
  close_stdin: () => {
    closed = true;
    process.stdin.destroy();
  },
  ignore_end: ignoreEnd,
  exit: (code) => process.exit(code),
  kill: (signal) => process.kill(process.pid, signal),
};

async function play(step) {
  const [[name, value], ...more] = Object.entries(step);
  if (!Object.hasOwn(players, name) || more.length > 0) {
    throw new Error(`expected a step with one of the keys ${Object.keys(players).join(", ")}`);
  }
  await players[name](value);
}

/** Reads the host's hello, answers it and says ready. */
async function open({ methods = ["a", "b", "c"], ...hello }) {
  allowOnly("open", hello, ["protocol", "max_payload", "encodings", "runtime", "runtime_version"]);
  const { protocol = 1, max_payload = 33_554_432, encodings = ["json", "raw"], ...more } = hello;
  await expectFrames(inbox, [{ kind: "hello" }], context);
  await send([
    { kind: "hello", value: { protocol, max_payload, encodings, ...more } },
    { kind: "ready", value: { methods } },
  ]);
}

function send(frames) {
  return write(encodeFrames(frames, context.idOf));
}

function write(data) {
  return new Promise((resolve) => process.stdout.write(data, resolve));
}

async function expectEnd() {
  const frame = await inbox.next();
  if (frame) throw new Error(`expected the end of stdin, got ${describe(frame)}`);
}

/** Stays until it is killed. */
function ignoreEnd() {
  process.on("SIGTERM", () => undefined);
  setInterval(() => undefined, 60_000);
  return new Promise(() => undefined);
}

/** Waits for the host to end the session. It may say so, or give calls up, but not begin anything. */
async function finish() {
  if (closed) return;
  for (let frame = await inbox.next(); frame; frame = await inbox.next()) {
    if (frame.kind !== "goaway" && frame.kind !== "cancel") {
      fail(`expected nothing more, got ${describe(frame)}`);
    }
  }
  process.exit(0);
}

await main().catch((error) => fail(error.stack));
