import "./signal.ts"; // the first to run

import { Input } from "./input.ts";
import { Buffer, exitProcess, nativeProcess, writeSync } from "./intrinsics.ts";
import { keepAfterCalls } from "./kept-code.ts";
import { LineMode } from "./lines.ts";
import { importBy } from "./loader.ts";
import { redirectStdio } from "./redirect.ts";
import { Session } from "./session.ts";
import { takeStdio } from "./stdio.ts";

export { importBy, keepAfterCalls };

/** What reads the input: chosen by its first byte. */
interface Mode {
  read(chunk: Uint8Array): void;
  end(): void;
}

const USAGE = `usage: node worker.cjs [FILE]

Calls what FILE exports, as told on stdin: by frames of the Rootbridge protocol, or by lines of JSON such as
{"method":"name","data":1}
`;
const WRONG_USAGE = 2;
/** Lines begin with an object, perhaps after empty lines; the first byte of a frame is no ASCII. */
const OBJECT_START = 0x7b;
const BLANKS: Uint8Array = Buffer.from(" \t\r\n");

main();

function main(): void {
  const stdio = takeStdioOrExit();
  if (!stdio.guarded) redirectStdio(stdio);
  const file = fileArgument();
  let mode: Mode | undefined;
  let blank = false;
  const input = new Input(stdio.input, {
    onChunk: (chunk) => {
      if (!mode) {
        const first = chunk.find((byte) => !BLANKS.includes(byte));
        blank ||= first !== chunk[0];
        if (first === undefined) return;
        mode =
          first === OBJECT_START
            ? new LineMode(input, stdio.output, file)
            : new Session(input, stdio.output, file);
        if (blank) mode.read(BLANKS); // where frames are expected, blanks are wrong too
      }
      mode.read(chunk);
    },
    onEnd: () => (mode ? mode.end() : refuse("nothing came on stdin")),
  });
}

function takeStdioOrExit() {
  try {
    return takeStdio();
  } catch (error) {
    return refuse(String(error));
  }
}

/** Started as `node worker.cjs FILE`, or as `node -e SOURCE FILE` where there is no disk to put the worker on. */
function fileArgument(): string | undefined {
  const { argv, execArgv } = nativeProcess;
  const at = execArgv.findIndex((arg) => /^(-e|-p|-pe|--eval|--print)(=|$)/.test(arg));
  if (at < 0) return argv[2];
  // Children get these arguments of Node, as cluster's do, and must not be workers.
  execArgv.splice(at, execArgv[at]?.includes("=") ? 1 : 2);
  return argv[1];
}

function refuse(reason: string): never {
  writeSync(2, `rootbridge worker: ${reason}\n\n${USAGE}`);
  return exitProcess(WRONG_USAGE);
}
