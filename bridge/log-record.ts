import { stringifyJson } from "../protocol/codec.ts";
import { textOf } from "../protocol/error.ts";
import { describeField, newFieldBudget, readProperty } from "../protocol/field.ts";
import { withoutPrototype } from "../protocol/prototype.ts";
import { Buffer, isNativeError, keysOf } from "./intrinsics.ts";
import { withoutOwnFrames } from "./thrown.ts";

/** What a log record says beside user code's fields. */
export interface OwnKeys {
  msg: string;
  [key: string]: unknown;
}

/** Names that readers of records give a meaning, as loggers do; and where fields of these names are. */
const READ: object = withoutPrototype({
  level: true,
  msg: true,
  message: true,
  time: true,
  pid: true,
  hostname: true,
  fields: true,
});
const MAX_FIELDS = 64;
const CUT = " … (fields were cut)";
/** For the end of the text in place of a record. */
export const LEFT_OUT = " … (fields were left out)";

/**
 * A log record as JSON of at most `limit` bytes: own keys, and beside them the fields, or in `fields` those whose names
 * are taken. Fields that have no JSON or too much of it are described, and cut. `undefined` if even that can't be.
 */
export function encodeRecord(own: OwnKeys, fields: unknown, limit: number): Buffer | undefined {
  return (
    attempt(limit, () => join(own, asObject(fields), whole)) ??
    attempt(limit, () => described(own, asObject(fields), limit))
  );
}

function attempt(limit: number, make: () => OwnKeys): Buffer | undefined {
  try {
    const bytes = Buffer.from(stringifyJson(make()) ?? "");
    return bytes.length <= limit ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The type asks for an object, JavaScript for nothing. */
function asObject(fields: unknown): object {
  if (isNativeError(fields)) return { error: fields };
  return typeof fields === "object" && fields !== null ? fields : { value: fields };
}

type Read = (fields: object, key: string) => unknown;

function join(own: OwnKeys, fields: object, read: Read, count = Number.POSITIVE_INFINITY): OwnKeys {
  const record: OwnKeys = withoutPrototype({ ...own });
  const taken: Record<string, unknown> = withoutPrototype({});
  const keys = keysOf(fields);
  for (let i = 0; i < keys.length && i < count; i++) {
    const key = keys[i] ?? "";
    if (!(key in READ || key in own)) record[key] = read(fields, key);
    else record["fields"] = set(taken, key, read(fields, key));
  }
  return record;
}

function set(object: Record<string, unknown>, key: string, value: unknown) {
  object[key] = value;
  return object;
}

/** An Error's JSON would be empty. */
const whole: Read = (fields, key) => {
  const value = (fields as Record<string, unknown>)[key];
  return isNativeError(value) ? textOfError(value) : value;
};

function textOfError(error: object): string {
  const stack = readProperty(error, "stack");
  return typeof stack === "string" ? withoutOwnFrames(stack) : textOf(error);
}

function described(own: OwnKeys, fields: object, limit: number): OwnKeys {
  const budget = newFieldBudget(limit / 2);
  const read: Read = (from, key) => {
    const value = readProperty(from, key);
    if (!isNativeError(value)) return describeField(from, key, budget);
    return describeField({ [key]: textOfError(value) }, key, budget);
  };
  const record = join(own, fields, read, MAX_FIELDS);
  if (budget.truncated || keysOf(fields).length > MAX_FIELDS) record.msg += CUT;
  return record;
}
