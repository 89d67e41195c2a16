// Adds a large frame at every depth near the end of the stack, and looks whether what comes out at the other end of a FIFO
// is what was added where nothing was thrown. User code changes its memory as soon as it runs again.

import { constants, readSync } from "node:fs";
import { Output } from "../../bridge/output.ts";
import { Encoding, FrameReader, Kind } from "../../protocol/frame.ts";
import { openFifo } from "./fifo.ts";

/** More than a FIFO takes at once: a part waits. */
const SIZE = 100_000;
/** What a frame that is refused leaves of the stack, in arguments, and more. */
const MARGIN = 10_000;
/** More than it takes to read a frame. */
const MAX_TURNS = 100;
const META = Buffer.alloc(0);

const { reading, writing } = openFifo(constants.O_NONBLOCK);
const output = new Output(writing, { onGone: () => {}, onBacklog: () => {} });
const reader = new FrameReader({ maxPayload: SIZE });
const memory = Buffer.alloc(SIZE);
/** No part of it is like another. */
const PATTERN = Buffer.alloc(SIZE);
for (let i = 0; i < SIZE; i += 4) PATTERN.writeUInt32LE(i, i);
const counts = { added: 0, refused: 0, wrong: 0 };

output.hold(); // no turn of the event loop comes in between
for (let i = 0; i < 1_000; i++) check(0); // V8 compiles what runs often, which then takes less of the stack
const most = mostAdded();
for (let size = most - 1_000; size < most + MARGIN; size += 20) check(size);
process.stdout.write(JSON.stringify(counts));
process.exit(0);

/** How much of the stack may be taken so that a frame can still be added, in arguments. */
function mostAdded(): number {
  let size = 0;
  for (let step = 65_536; step >= 1; step /= 2) if (check(size + step)) size += step;
  return size;
}

/** Adds a frame where so many arguments of 8 bytes are on the stack. Returns whether it was added. */
function check(size: number): boolean {
  memory.set(PATTERN);
  const isAdded = add(size);
  const came = drain();
  counts[isAdded ? "added" : "refused"]++;
  if (came.length !== Number(isAdded) || came.some((payload) => !PATTERN.equals(payload))) {
    counts.wrong++;
  }
  return isAdded;
}

function add(size: number): boolean {
  const half = new Array<undefined>(Math.floor(size / 2)).fill(undefined);
  try {
    Reflect.apply(() => Reflect.apply(addHere, undefined, half), undefined, half);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** As user code does, whose memory is its own again as soon as the frame is added. */
function addHere(): void {
  output.frame(Kind.Reply, Encoding.Raw, 1, META, memory, true);
  memory[0] = 0xff; // the pattern has another there
  memory[SIZE - 1] = 0xff;
}

function drain(): Uint8Array[] {
  const came: Uint8Array[] = [];
  for (let turn = 0; turn === 0 || (output.backlog > 0 && turn < MAX_TURNS); turn++) {
    readAll(came);
    output.flush();
  }
  readAll(came);
  return came;
}

function readAll(came: Uint8Array[]): void {
  const chunk = Buffer.alloc(SIZE);
  for (;;) {
    try {
      reader.feed(Buffer.from(chunk.subarray(0, readSync(reading, chunk))));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return;
      throw error;
    }
    for (let frame = reader.next(); frame; frame = reader.next())
      came.push(Buffer.from(frame.payload));
  }
}
