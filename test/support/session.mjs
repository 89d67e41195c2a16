// What session scripts (protocol/vectors/README.md) are made of: frames, and patterns that frames must match. Plain
// JavaScript, for any Node that runs workers, and with nothing of protocol/: a second opinion on the same page.
import { Buffer } from "node:buffer";

const headerSize = 16;
const kindNumbers = {
  hello: 1,
  ready: 2,
  call: 3,
  reply: 4,
  error: 5,
  cancel: 6,
  chunk: 7,
  credit: 8,
  log: 9,
  ping: 10,
  pong: 11,
  goaway: 12,
  stats: 13,
};
const kindNames = new Map(Object.entries(kindNumbers).map(([name, number]) => [number, name]));
const encodingNames = ["json", "msgpack", "raw", "reserved"];
const frameKeys = "kind id encoding meta meta_text meta_hex value text hex".split(" ");
const patternKeys = "kind id encoding meta value part text hex size max_size as".split(" ");

/** Throws for a key that is not among `keys`: a misspelt expectation must not pass. */
export function allowOnly(where, object, keys) {
  for (const key of Object.keys(object)) {
    if (!keys.includes(key)) {
      throw new Error(`${where}: expected the keys ${keys.join(", ")}, got ${key}`);
    }
  }
}

/** What a hex text stands for: blanks mean nothing, and "(ab*1000)" is the bytes ab a thousand times. */
export function bytes(text) {
  const compact = text.replaceAll(" ", "");
  const pieces = compact.match(/\([0-9a-f]*\*[1-9][0-9]*\)|[0-9a-f]+/gi) ?? [];
  if (pieces.join("") !== compact) throw new Error(`expected hex, got ${text.slice(0, 60)}`);
  return Buffer.concat(pieces.map(pieceBytes));
}

function pieceBytes(piece) {
  const [, unit = piece, times = "1"] = /\((.*)\*(.*)\)/.exec(piece) ?? [];
  if (unit.length % 2 !== 0) throw new Error(`expected whole bytes, got ${unit.slice(0, 60)}`);
  const size = (unit.length / 2) * Number(times);
  if (size > 67_108_864) throw new Error(`expected at most 67,108,864 bytes, got ${size}`);
  return Buffer.alloc(size, Buffer.from(unit, "hex"));
}

/** The bytes of what a `send` step says: a frame or a list of them. `idOf` finds the id of a call by its name. */
export function encodeFrames(frames, idOf) {
  const list = Array.isArray(frames) ? frames : [frames];
  return Buffer.concat(list.map((frame) => encodeFrame(frame, idOf)));
}

function encodeFrame(frame, idOf) {
  allowOnly("send", frame, frameKeys);
  const { kind, id = 0, encoding = "json" } = frame;
  const number = typeof kind === "number" ? kind : kindNumbers[kind];
  const encodingNumber = encodingNames.indexOf(encoding);
  if (number === undefined) throw new Error(`send: no kind ${kind}`);
  if (encodingNumber < 0) throw new Error(`send: no encoding ${encoding}`);
  const meta = content("meta", frame.meta, frame.meta_text, frame.meta_hex);
  const payload = content("payload", frame.value, frame.text, frame.hex);
  const header = Buffer.from([0xff, 0x52, 0x42, 1, number, encodingNumber, ...Array(10).fill(0)]);
  header.writeUInt16BE(meta.length, 6);
  header.writeUInt32BE(typeof id === "string" ? idOf(id) : id, 8);
  header.writeUInt32BE(payload.length, 12);
  return Buffer.concat([header, meta, payload]);
}

function content(what, value, text, hex) {
  const given = [value, text, hex].filter((one) => one !== undefined);
  if (given.length > 1) throw new Error(`send: expected one ${what}, got ${given.length}`);
  if (value !== undefined) return Buffer.from(JSON.stringify(value));
  return hex === undefined ? Buffer.from(text ?? "") : bytes(hex);
}

/** Cuts a stream into frames, which it hands to `onFrame`. Throws for what is none. */
export class Splitter {
  #rest = Buffer.alloc(0);
  #onFrame;

  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  push(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= headerSize) {
      const header = this.#rest.subarray(0, headerSize);
      if (header.readUInt32BE(0) !== 0xff524201) {
        throw new Error(`expected a frame, got ${header.toString("hex")}`);
      }
      const metaEnd = headerSize + header.readUInt16BE(6);
      const end = metaEnd + header.readUInt32BE(12);
      if (this.#rest.length < end) return;
      this.#onFrame({
        kind: kindNames.get(header[4]) ?? header[4],
        encoding: encodingNames[header[5] & 3],
        id: header.readUInt32BE(8),
        meta: this.#rest.subarray(headerSize, metaEnd),
        payload: this.#rest.subarray(metaEnd, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
  }

  end() {
    if (this.#rest.length > 0)
      throw new Error(`ended inside a frame, after ${this.#rest.length} bytes`);
  }
}

/** Says in what a frame differs from a pattern, or returns undefined. `decode` reads payloads of msgpack. */
export function differs(pattern, frame, { idOf, decode } = {}) {
  allowOnly("expect", pattern, patternKeys);
  const id = typeof pattern.id === "string" ? idOf(pattern.id) : pattern.id;
  if (frame.kind !== pattern.kind) return `kind ${frame.kind} in place of ${pattern.kind}`;
  if (id !== undefined && frame.id !== id) return `id ${frame.id} in place of ${id}`;
  if (pattern.encoding !== undefined && frame.encoding !== pattern.encoding) {
    return `encoding ${frame.encoding} in place of ${pattern.encoding}`;
  }
  return metaDiffers(pattern, frame) ?? payloadDiffers(pattern, frame, decode);
}

function metaDiffers({ meta }, frame) {
  if (meta === undefined) return undefined;
  return valueDiffers(meta, JSON.parse(frame.meta.toString() || "{}"), "meta", true);
}

function payloadDiffers(pattern, frame, decode) {
  const { text, hex, size, max_size: maxSize } = pattern;
  const { payload } = frame;
  if (text !== undefined) return valueDiffers(text, payload.toString(), "text", false);
  if (hex !== undefined && !payload.equals(bytes(hex)))
    return `bytes ${payload.toString("hex", 0, 64)}`;
  if (size !== undefined && payload.length !== size) return `${payload.length} bytes, not ${size}`;
  if (maxSize !== undefined && payload.length > maxSize)
    return `${payload.length} bytes > ${maxSize}`;
  if (pattern.value !== undefined) return valueDiffers(pattern.value, read(), "value", false);
  if (pattern.part !== undefined) return valueDiffers(pattern.part, read(), "value", true);
  return undefined;

  function read() {
    if (frame.encoding === "json") return JSON.parse(payload.toString());
    return frame.encoding === "msgpack" ? decode(payload) : payload.toString("hex");
  }
}

/**
 * Says where a value differs from an expected one. With `partly` objects may have more keys than expected. Instead of a
 * value may stand {"$has": [parts of a text, or items of a list]} or {"$is": "text", "number", "list" or "object"}.
 */
export function valueDiffers(expected, value, path, partly) {
  if (isObject(expected)) {
    if ("$has" in expected) return lacks(expected.$has, value, path);
    if ("$is" in expected) return isOther(expected.$is, value, path);
    return objectDiffers(expected, value, path, partly);
  }
  if (Array.isArray(expected)) return listDiffers(expected, value, path, partly);
  return Object.is(expected, value)
    ? undefined
    : `${path} is ${show(value)}, not ${show(expected)}`;
}

function objectDiffers(expected, value, path, partly) {
  if (!isObject(value)) return `${path} is ${show(value)}, no object`;
  const more = Object.keys(value).find((key) => !Object.hasOwn(expected, key));
  if (more !== undefined && !partly) return `${path} has the key ${more}`;
  for (const [key, item] of Object.entries(expected)) {
    if (!Object.hasOwn(value, key)) return `${path} lacks the key ${key}: ${show(value)}`;
    const difference = valueDiffers(item, value[key], `${path}.${key}`, partly);
    if (difference) return difference;
  }
  return undefined;
}

function listDiffers(expected, value, path, partly) {
  if (!Array.isArray(value)) return `${path} is ${show(value)}, no list`;
  if (value.length !== expected.length) return `${path} has ${value.length} items: ${show(value)}`;
  for (const [i, item] of expected.entries()) {
    const difference = valueDiffers(item, value[i], `${path}[${i}]`, partly);
    if (difference) return difference;
  }
  return undefined;
}

function lacks(parts, value, path) {
  if (!Array.isArray(parts) || parts.length === 0) throw new Error(`${path}: $has expects a list`);
  const searchable = typeof value === "string" || Array.isArray(value);
  const missing = parts.find((part) => !searchable || !value.includes(part));
  return missing === undefined ? undefined : `${path} lacks ${show(missing)}: ${show(value)}`;
}

function isOther(name, value, path) {
  const types = {
    text: typeof value === "string",
    number: typeof value === "number",
    list: Array.isArray(value),
    object: isObject(value),
  };
  if (!Object.hasOwn(types, name)) throw new Error(`${path}: $is knows no ${name}`);
  return types[name] ? undefined : `${path} is ${show(value)}, no ${name}`;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/** A frame as the text of a failure. */
export function describe({ kind, id, encoding, meta, payload }) {
  return `${kind} ${id} (${encoding}) meta ${meta} payload ${payload.toString("latin1", 0, 400)}`;
}

/**
 * Frames that came, in order. Log frames have an order of their own, because nothing says when a worker must send them:
 * they are found by pattern, among those that came and those that will.
 */
export class Inbox {
  #frames = [];
  #logs = [];
  #ended = false;
  #wake = () => undefined;

  add(frame) {
    (frame.kind === "log" ? this.#logs : this.#frames).push(frame);
    this.#wake();
  }

  /** Says that no more will come, or with an error that what came is no frame. */
  end(error) {
    this.#ended = error ?? true;
    this.#wake();
  }

  /** The next frame that is no log; undefined at the end. */
  async next() {
    await this.#until(() => this.#frames.length > 0);
    return this.#frames.shift();
  }

  /** Takes a log frame for which `matches` is true. Throws when the frames have ended without one. */
  async takeLog(matches) {
    let at = -1;
    const found = () => {
      at = this.#logs.findIndex(matches);
      return at >= 0;
    };
    await this.#until(found);
    if (at < 0)
      throw new Error(`no such log line; there were:\n${this.#logs.map(describe).join("\n")}`);
    this.#logs.splice(at, 1);
  }

  async #until(there) {
    while (!there()) {
      if (this.#ended instanceof Error) throw this.#ended;
      if (this.#ended) return;
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Waits for the frame, or frames in any order, of an `expect` or `expect_unordered` step. */
export async function expectFrames(inbox, patterns, context) {
  const open = [...patterns];
  while (open.length > 0) {
    const log = open.findIndex(({ kind }) => kind === "log");
    if (log >= 0) {
      const [pattern] = open.splice(log, 1);
      await inbox.takeLog((frame) => differs(pattern, frame, context) === undefined);
      continue;
    }
    const frame = await inbox.next();
    if (frame === undefined) throw new Error(`the stream ended; expected ${show(open)}`);
    const found = takeMatch(open, frame, context);
    if (found.as !== undefined) context.names.set(found.as, frame.id);
  }
}

function takeMatch(open, frame, context) {
  const differences = [];
  for (const [i, pattern] of open.entries()) {
    const difference = differs(pattern, frame, context);
    if (difference === undefined) return open.splice(i, 1)[0];
    differences.push(`${show(pattern)}: ${difference}`);
  }
  throw new Error(`got ${describe(frame)}\nexpected ${differences.join("\nor ")}`);
}
