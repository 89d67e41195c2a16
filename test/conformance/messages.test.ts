import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { suite, test } from "node:test";
import { decodeError, encodeError } from "../../protocol/error.ts";
import {
  decodeCall,
  decodeCancel,
  decodeGoaway,
  decodeHello,
  decodeLog,
  decodeReady,
  decodeReply,
  decodeStats,
  encodeCall,
  encodeCancel,
  encodeGoaway,
  encodeHello,
  encodeLog,
  encodeReady,
  encodeReply,
  encodeStats,
  MessageError,
} from "../../protocol/message.ts";
import { bytes, type Case, readCases } from "../support/vectors.ts";

interface MessageCase extends Case {
  readonly message: keyof typeof again;
  readonly from: "host" | "worker";
  readonly text?: string;
  readonly hex?: string;
  readonly value?: unknown;
  readonly error?: readonly string[];
  readonly read_only?: boolean;
}

/** Decodes a message and encodes it again: a key that gets lost on either way is missing in what comes out. */
const again = {
  hello: (from: Uint8Array) => encodeHello(decodeHello(from)),
  ready: (from: Uint8Array) => encodeReady(decodeReady(from)),
  call: (from: Uint8Array) => encodeCall(decodeCall(from)),
  reply: (from: Uint8Array) => encodeReply(decodeReply(from)),
  cancel: (from: Uint8Array) => encodeCancel(decodeCancel(from)),
  log: (from: Uint8Array) => encodeLog(decodeLog(from)),
  goaway: (from: Uint8Array) => encodeGoaway(decodeGoaway(from)),
  stats: (from: Uint8Array) => encodeStats(decodeStats(from)),
  error: (from: Uint8Array) => encodeError(decodeError(from)),
};

const keys = ["message", "from", "text", "hex", "value", "error", "read_only"];

suite("messages", () => {
  for (const message of readCases<MessageCase>("messages.json", keys)) {
    const { id, text, hex, value, error } = message;
    assert.ok((text === undefined) !== (hex === undefined), `${id}: expected text or hex`);
    assert.ok((value === undefined) !== (error === undefined), `${id}: expected value or error`);
    const payload = hex === undefined ? Buffer.from(text ?? "") : bytes(hex);
    const pass = again[message.message];
    if (error) test(`${id} is refused`, () => refuses(() => pass(payload), error));
    else test(`${id} is read and written`, () => assert.deepEqual(parse(pass(payload)), value));
  }
});

function refuses(read: () => unknown, parts: readonly string[]): void {
  assert.throws(read, (thrown) => {
    assert.ok(thrown instanceof MessageError, `expected a MessageError, got ${thrown}`);
    assert.equal(thrown.code, "protocol_error");
    for (const part of parts) {
      assert.ok(thrown.message.includes(part), `expected "${part}" in: ${thrown.message}`);
    }
    return true;
  });
}

function parse(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString());
}
