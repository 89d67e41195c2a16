import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { bytesOf } from "../../protocol/bytes.ts";
import {
  CodecError,
  decodeValue,
  encodeValue,
  parseJson,
  stringifyJson,
} from "../../protocol/codec.ts";
import { isTooDeep, MAX_DEPTH } from "../../protocol/depth.ts";
import { Encoding } from "../../protocol/frame.ts";

const CODECS = { json: Encoding.Json, msgpack: Encoding.Msgpack } as const;

/** Values that are the same after a round trip by either codec. */
const plain = fc
  .jsonValue({ noUnicodeString: false, depthSize: "medium" })
  .filter((value) => !hasNegativeZero(value));

function hasNegativeZero(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Object.is(value, -0);
  return Object.values(value).some(hasNegativeZero);
}

function roundTrip(value: unknown): unknown {
  return decodeValue(encodeValue(value, Encoding.Msgpack), Encoding.Msgpack);
}

for (const [codec, encoding] of Object.entries(CODECS)) {
  test(`${codec}: JSON values come back as they were`, () => {
    fc.assert(
      fc.property(plain, (value) => {
        assert.deepEqual(decodeValue(encodeValue(value, encoding), encoding), value);
      }),
    );
  });

  test(`${codec}: whatever the value, it is encoded and decoded or a CodecError`, () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withObjectString: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = attempt(() => encodeValue(value, encoding));
        // A Map may have keys that no object can have.
        if (bytes) attempt(() => decodeValue(bytes, encoding));
      }),
      { numRuns: 500 },
    );
  });

  test(`${codec}: whatever the bytes, they decode or are a CodecError`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        attempt(() => decodeValue(bytes, encoding));
      }),
      { numRuns: 2_000 },
    );
  });

  test(`${codec}: an encoding with one byte changed decodes or is a CodecError`, () => {
    fc.assert(
      fc.property(plain, fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = Buffer.from(encodeValue(value, encoding));
        fc.pre(bytes.length > 0);
        bytes[at % bytes.length] = byte;
        attempt(() => decodeValue(bytes, encoding));
      }),
      { numRuns: 1_000 },
    );
  });

  test(`${codec}: a thousand levels go both ways`, () => {
    for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
      const bytes = encodeValue(nested(1_000, wrap), encoding);
      assert.deepEqual(
        Buffer.from(encodeValue(decodeValue(bytes, encoding), encoding)),
        Buffer.from(bytes),
      );
    }
  });

  test(`${codec}: what can't be encoded is named with its path`, () => {
    const cyclic: Record<string, unknown> = { list: [{}] };
    (cyclic["list"] as Record<string, unknown>[])[0] = { "a key": cyclic };
    const throwing = {
      a: {
        get b(): never {
          throw new Error("boom");
        },
      },
    };
    const toJson = {
      a: {
        toJSON(): never {
          throw new Error("boom");
        },
      },
    };
    const messages = [
      [cyclic, /result\.list\[0\]\["a key"\] is result again/],
      [throwing, /result\.a\.b threw when read: boom/],
      [toJson, /result\.a\.toJSON\(\) threw: boom/],
      [{ items: [1, { total: 2n ** 70n }] }, /result\.items\[1\]\.total is a BigInt/],
      [{ a: { toJSON: () => ({ b: 2n ** 70n }) } }, /result\.a\.toJSON\(\)\.b is a BigInt/],
      [nested(9_000, (inner) => [inner]), /deep/],
    ] as const;
    for (const [value, message] of messages) {
      // JSON.stringify has no limit of its own on new Nodes; then the host refuses what is too deep.
      const bytes = attempt(() => encodeValue(value, encoding), message);
      if (bytes) assert.equal(isTooDeep(bytes, encoding), true);
    }
  });
}

test("json: nesting is judged without decoding, at the limit and one past it", () => {
  assert.equal(isTooDeep(deepBytes(MAX_DEPTH, "json"), Encoding.Json), false);
  assert.equal(isTooDeep(deepBytes(MAX_DEPTH + 1, "json"), Encoding.Json), true);
});

test("json: brackets in strings, and long flat values, are not deep", () => {
  const text = ["[".repeat(9_000), '"[{'.repeat(3_000), `\\"${"{".repeat(5_000)}`];
  assert.equal(isTooDeep(encodeValue(text, Encoding.Json), Encoding.Json), false);
  const flat = Array.from({ length: 9_000 }, () => [[]]);
  assert.equal(isTooDeep(encodeValue(flat, Encoding.Json), Encoding.Json), false);
});

test("msgpack: MAX_DEPTH levels go both ways, and one more neither", () => {
  for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
    const deepest = encodeValue(nested(MAX_DEPTH, wrap), Encoding.Msgpack);
    const decoded = decodeValue(deepest, Encoding.Msgpack);
    assert.ok(Buffer.from(encodeValue(decoded, Encoding.Msgpack)).equals(deepest));
    assert.throws(() => encodeValue(wrap(decoded), Encoding.Msgpack), /deeper than 2000 levels/);
  }
  const deeper = deepBytes(MAX_DEPTH + 1, "msgpack");
  assert.throws(() => decodeValue(deeper, Encoding.Msgpack), /deeper than 2000 levels/);
});

test("text that is not UTF-8, or begins with a byte order mark, is no JSON", () => {
  for (const hex of ["22ff22", "22c3", "22eda08022", "efbbbf31", "fffe3100"]) {
    assert.throws(() => decodeValue(Buffer.from(hex, "hex"), Encoding.Json), CodecError);
  }
  assert.equal(decodeValue(Buffer.from('"\ufffd"'), Encoding.Json), "\ufffd");
});

test("an error about JSON does not quote it", () => {
  for (const text of [
    '{"password":"secret" secret}',
    '["secret", secret]',
    "secret",
    '"secret',
    '{"secret',
  ]) {
    assert.throws(
      () => decodeValue(Buffer.from(text), Encoding.Json),
      ({ message }: Error) => /is not JSON \(\d+ bytes\)/.test(message) && !/secr/.test(message),
    );
  }
});

test("msgpackr reads what is encoded as MessagePack, and its encoding is decoded", () => {
  const peer = new Packr({
    useRecords: false,
    variableMapSize: true,
    int64AsType: "auto",
  } as object);
  const size = fc.constantFrom(0, 1, 15, 16, 31, 32, 63, 64, 255, 256, 65_535, 65_536);
  const sized = fc.oneof(
    size.map((length) => "x".repeat(length)),
    size.map((length) => Buffer.alloc(length, 7)),
    size.map((length) => Array.from({ length }, (_, i) => i - 5)),
    size.map((length) => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]))),
  );
  const integer = fc
    .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 1 }), fc.boolean())
    .map(
      ([bits, near, negative]) =>
        BigInt.asIntN(64, (negative ? -1n : 1n) * 2n ** BigInt(bits)) + BigInt(near),
    )
    .filter((value) => BigInt.asIntN(64, value) === value)
    .filter((value) => value !== 2n ** 53n && value !== -(2n ** 53n)) // numbers for msgpackr, as if they were safe
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
  const date = fc.oneof(
    fc.date({ noInvalidDate: true }),
    fc.integer({ min: -1, max: 2 ** 35 }).map((seconds) => new Date(seconds * 1000)),
    fc
      .tuple(fc.constantFrom(0, 2 ** 32, 2 ** 34), fc.integer({ min: -1001, max: 1001 }))
      .map(([seconds, milliseconds]) => new Date(seconds * 1000 + milliseconds)),
  );
  const double = fc.double().filter((value) => !Object.is(value, -0)); // which is sent as 0
  const json = plain.filter((value) => !JSON.stringify(value).includes("__proto__")); // renamed by msgpackr
  const unsigned = fc.bigInt({ min: 2n ** 63n, max: 2n ** 64n - 1n });
  const item = fc.oneof(integer, unsigned, sized, date, double, json);
  fc.assert(
    fc.property(fc.array(item, { maxLength: 5 }), (value) => {
      const bytes = encodeValue(value, Encoding.Msgpack);
      assert.deepEqual(peer.unpack(bytes), value);
      assert.deepEqual(decodeValue(bytes, Encoding.Msgpack), value);
      assert.deepEqual(decodeValue(peer.pack(value), Encoding.Msgpack), value);
      assert.ok(bytes.length <= peer.pack(value).length);
    }),
    { numRuns: 150 },
  );
});

test("a map has as many entries in MessagePack as are something, or as its own toJSON makes them", () => {
  for (const size of [1, 2, 15, 16, 17, 65_535, 65_536]) {
    const keys = Array.from({ length: size }, (_, i) => `k${i}`);
    const expected: Record<string, unknown> = Object.fromEntries(
      keys.slice(1).map((key) => [key, [key]]),
    );
    const object = Object.fromEntries(keys.map((key, i) => [key, i === 0 ? () => key : [key]]));
    const grows = new Map<string, unknown>(keys.slice(1).map((key) => [key, [key]]));
    grows.set("last", { toJSON: () => grows.set("later", 1).size });
    const shrinks = new Map<string, unknown>(keys.map((key) => [key, [key]]));
    shrinks.set(keys[0] ?? "", { toJSON: () => shrinks.delete(keys[1] ?? "") });
    assert.deepEqual(roundTrip(object), expected);
    assert.deepEqual(roundTrip(grows), { ...expected, last: size + 1, later: 1 });
    const rest: Record<string, unknown> = { ...expected, k0: size > 1 };
    delete rest["k1"];
    assert.deepEqual(roundTrip([shrinks, 1]), [rest, 1]);
  }
});

test("what is encoded after something that threw is whole", () => {
  const bad = ["x".repeat(40_000), Object.defineProperty({}, "a", { enumerable: true, get: fail })];
  assert.throws(() => encodeValue(bad, Encoding.Msgpack), /result\[1\]\.a threw when read: no/);
  const value = { list: ["y".repeat(70_000), 1] };
  assert.deepEqual(roundTrip(value), value);
});

test("a BigInt over 64 bits is asked for its toJSON once", (t) => {
  const { prototype } = BigInt as unknown as { prototype: { toJSON?: unknown } };
  t.after(() => delete prototype.toJSON);
  const wide = 2n ** 64n;
  prototype.toJSON = function (this: unknown) {
    return this;
  };
  assert.throws(() => encodeValue([wide], Encoding.Msgpack), { name: "CodecError" });
  assert.throws(() => encodeValue([{ toJSON: () => wide }], Encoding.Msgpack), /BigInt/);
  prototype.toJSON = () => "wide";
  assert.deepEqual(roundTrip([wide]), ["wide"]);
});

test("a list has as many items in MessagePack as JSON takes, whatever a Proxy says", () => {
  for (const [length, expected] of [
    [-1, []],
    [1.5, [7]],
    [Number.NaN, []],
    [2, [7, null]],
  ] as const) {
    const list = new Proxy([7], {
      get: (target, key) => (key === "length" ? length : Reflect.get(target, key)),
    });
    assert.deepEqual(JSON.parse(JSON.stringify(list)), expected);
    assert.deepEqual(roundTrip(list), expected);
  }
  const endless = new Proxy([], { get: (_, key) => (key === "length" ? 2 ** 32 : undefined) });
  assert.throws(() => encodeValue([endless], Encoding.Msgpack), /more than 4294967295 items/);
});

test("short texts of MessagePack are what their bytes say, whatever came before", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "\u00a9", "\u00c3", "\u00e2"),
    maxLength: 5,
  });
  fc.assert(
    fc.property(text, (short) => {
      const garbled = Buffer.from(short).toString("latin1"); // its units are the bytes of the other
      for (const one of [garbled, short, garbled]) {
        assert.equal(roundTrip(one), one);
      }
    }),
    { numRuns: 2000 },
  );
});

test("timestamps that no Date can be are refused", () => {
  for (const hex of [
    "d7fffffffffc00000000",
    "c70cff3b9aca000000000000000000",
    "c70cff000000007fffffffffffffff",
  ]) {
    assert.throws(() => decodeValue(Buffer.from(hex, "hex"), Encoding.Msgpack), /a timestamp/, hex);
  }
});

test("a toJSON may have others encode MessagePack meanwhile", () => {
  const inner = { toJSON: () => Buffer.from(encodeValue(["inner", 1], Encoding.Msgpack)) };
  const bytes = encodeValue(["outer", inner, "x".repeat(100_000), 2], Encoding.Msgpack);
  const [outer, nested, , two] = decodeValue(bytes, Encoding.Msgpack) as [string, Buffer, 0, 2];
  assert.deepEqual([outer, two], ["outer", 2]);
  assert.deepEqual(decodeValue(nested, Encoding.Msgpack), ["inner", 1]);
});

test("records, unknown extensions and other state of msgpackr's own are refused", () => {
  for (const hex of [
    "d4720193a161a162a163",
    "c7037401ff00",
    "d6690000000193",
    "d673000000",
    "c1",
    "d40101",
    "c70501ffffffffff",
  ]) {
    assert.throws(() => decodeValue(Buffer.from(hex, "hex"), Encoding.Msgpack), CodecError, hex);
  }
});

test("MessagePack that lacks its last bytes, or has more, is a CodecError", () => {
  fc.assert(
    fc.property(plain, fc.nat(), (value, missing) => {
      const bytes = encodeValue(value, Encoding.Msgpack);
      const part = bytes.subarray(0, bytes.length - 1 - (missing % bytes.length));
      for (const wrong of [part, Buffer.concat([bytes, Buffer.of(0)])]) {
        if (wrong.length === 0) continue;
        assert.throws(
          () => decodeValue(wrong, Encoding.Msgpack),
          /ended inside a value|holds less than its length says|1 bytes after the value/,
        );
      }
    }),
  );
});

test("halves of surrogate pairs become U+FFFD in MessagePack, and nothing that looks like one in its bytes", () => {
  const unit = fc.constantFrom(
    "\u007f",
    "\u0080",
    "\u00e9",
    "\ud7ff",
    "\ud800",
    "\udfff",
    "\u{1f600}",
  );
  const text = fc.string({ unit, maxLength: 80 });
  const byte = fc.constantFrom(0xed, 0xa0, 0xbf, 0x80, 0xd9);
  const bytes = fc.array(byte, { maxLength: 300 }).map((list) => Buffer.from(list));
  const number = bytes.filter(({ length }) => length >= 8).map((eight) => eight.readDoubleBE());
  const item = fc.oneof(text, bytes, number, fc.integer());
  fc.assert(
    fc.property(fc.array(fc.tuple(text, item), { maxLength: 20 }), (entries) => {
      const mended = (value: unknown): unknown =>
        typeof value === "string" ? Buffer.from(value).toString() : value;
      const expected = entries.map(([key, value]) => ({ [`${mended(key)}`]: mended(value) }));
      const sent = encodeValue(
        entries.map(([key, value]) => ({ [key]: value })),
        Encoding.Msgpack,
      );
      assert.deepEqual(decodeValue(sent, Encoding.Msgpack), expected);
    }),
    { numRuns: 1000 },
  );
});

test("decoded bytes share no memory with the payload", () => {
  const payload = Buffer.from(encodeValue({ bytes: Buffer.from([1, 2, 3]) }, Encoding.Msgpack));
  const { bytes } = decodeValue(payload, Encoding.Msgpack) as { bytes: Buffer };
  const raw = decodeValue(payload, Encoding.Raw) as Buffer;
  payload.fill(0);
  assert.deepEqual(bytes, Buffer.from([1, 2, 3]));
  assert.equal(bytes.buffer.byteLength, 3); // and none with other values
  assert.notEqual(raw[0], 0);
});

test("bytes are found in Buffers, typed arrays, DataViews and ArrayBuffers, as views of them", () => {
  const { buffer } = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(bytesOf(new Uint16Array(buffer, 2, 2)), Buffer.from([2, 3, 4, 5]));
  assert.deepEqual(bytesOf(new DataView(buffer, 7)), Buffer.from([7]));
  assert.deepEqual(bytesOf(buffer)?.length, 8);
  assert.deepEqual(bytesOf(new SharedArrayBuffer(3)), Buffer.alloc(3));
  for (const value of [[1], "text", null, undefined, { length: 1 }])
    assert.equal(bytesOf(value), undefined);
});

test("a Map that says it is a plain object keeps its entries in MessagePack", () => {
  const map = Object.defineProperty(new Map([["a", 1]]), "constructor", { value: Object });
  const bytes = encodeValue({ map }, Encoding.Msgpack);
  assert.deepEqual(decodeValue(bytes, Encoding.Msgpack), { map: { a: 1 } });
});

test("JSON text is what JSON.stringify makes, and parses as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(stringifyJson(value), JSON.stringify(value));
      assert.deepEqual(
        parseJson(Buffer.from(JSON.stringify(value))),
        JSON.parse(JSON.stringify(value)),
      );
    }),
  );
});

/** Runs it; a CodecError is fine, and must match `message`. */
function attempt<T>(work: () => T, message = /./): T | undefined {
  try {
    return work();
  } catch (error) {
    assert.ok(error instanceof CodecError, (error as Error)?.stack);
    assert.match(error.message, message);
    return undefined;
  }
}

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = wrap(1);
  for (let i = 1; i < levels; i++) value = wrap(value);
  return value;
}

function deepBytes(levels: number, codec: string): Uint8Array {
  if (codec === "json") return Buffer.from("[".repeat(levels) + "]".repeat(levels));
  return Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(1)]);
}

test("what is nested too deeply is told so where the search for it fills the stack", () => {
  const recurse = (frames: number): void => void (frames > 0 && recurse(frames - 1));
  const ownKeys = (list: object) => {
    recurse(100);
    return Reflect.ownKeys(list);
  };
  const bad = Object.defineProperty({}, "bad", { get: fail, enumerable: true });
  assert.throws(() => encodeValue(bad, Encoding.Msgpack), /result\.bad threw when read: no/);
  let value: object = [];
  for (let level = 0; level < 3_000; level++) value = new Proxy([value], { ownKeys });
  assert.throws(
    () => encodeValue(value, Encoding.Msgpack),
    /^CodecError: result.* nested deeper than 2000 levels$/, // with the path where the stack had room for it
  );
});

function fail(): never {
  throw new Error("no");
}
