import { types } from "node:util";
import { matches } from "./methods.ts";

const { isArray } = Array;
const { isView } = ArrayBuffer;
const { isAnyArrayBuffer, isBigIntObject, isMap, isNativeError, isRegExp, isSet } = types;
const { getPrototypeOf, keys: ownKeys, prototype: objectPrototype } = Object;
const { asyncIterator, iterator, toStringTag } = Symbol;

/**
 * Says why a whole value has no form in an encoding, and what to do; `undefined` if it may have one. Knows what an encoder
 * would silently turn into nothing or into an empty object. Inside of other values the encoder's own rules hold.
 */
export function describeFormless(value: unknown, codec: "json" | "msgpack"): string | undefined {
  if (typeof value === "function" || typeof value === "symbol") {
    return `a ${typeof value}, which has no form as data`;
  }
  if (typeof value !== "object" || value === null || isArray(value)) return undefined;
  const object = value as Record<PropertyKey, unknown>;
  if (typeof object["toJSON"] === "function") return undefined;
  return describeStream(object) ?? describeLost(object, codec);
}

function describeStream(value: Record<PropertyKey, unknown>): string | undefined {
  const kind = streamKind(value);
  return kind && `${kind}, which has no form as data: collect it and return its content`;
}

function streamKind(value: Record<PropertyKey, unknown>): string | undefined {
  if (typeof value["pipe"] === "function" && typeof value["on"] === "function") return "a stream";
  if (typeof value[asyncIterator] === "function") return "an async iterable";
  const iterates = typeof value["next"] === "function" && typeof value[iterator] === "function";
  return iterates ? "a generator" : undefined;
}

/** Own enumerable properties are all that is kept of an object; those of the runtime keep their content elsewhere. */
function describeLost(
  value: Record<PropertyKey, unknown>,
  codec: "json" | "msgpack",
): string | undefined {
  const prototype = getPrototypeOf(value);
  if (prototype === objectPrototype || prototype === null) return undefined;
  if (isNativeError(value)) {
    return "an Error, whose message and stack would be lost: throw it, or return an object with what matters";
  }
  if (codec === "msgpack" && isKnownToMsgpack(value)) return undefined;
  const tag = isRegExp(value) ? "RegExp" : value[toStringTag];
  if (typeof tag !== "string" || tag === "BigInt") return undefined;
  const isEmpty = ownKeys(value).length === 0;
  if (!(isEmpty || isMap(value) || isSet(value))) return undefined;
  const article = matches(/^[AEIO]/, tag) ? "an" : "a";
  const loss = isEmpty ? "become an empty object" : "lose its entries";
  return `${article} ${tag}, which would ${loss}: ${adviceFor(value, tag)}`;
}

function isKnownToMsgpack(value: object): boolean {
  return (
    isMap(value) ||
    isSet(value) ||
    isView(value) ||
    isAnyArrayBuffer(value) ||
    isBigIntObject(value)
  );
}

function adviceFor(value: object, tag: string): string {
  if (isMap(value)) return "return Object.fromEntries(map), or use the msgpack codec";
  if (isSet(value)) return "return [...set], or use the msgpack codec";
  return tag === "RegExp" ? "return its source" : "return its content";
}
