import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { bytesOf } from "../../protocol/bytes.ts";
import { CodecError, encodeJson } from "../../protocol/codec.ts";
import { RootbridgeError } from "../error.ts";
import { type Arguments, UsageError } from "./arguments.ts";
import type { Report } from "./report.ts";
import { withHost } from "./session.ts";

/** `rootbridge call FILE METHOD [JSON]`: prints the result. */
export async function call(given: Arguments, report: Report): Promise<number> {
  const { operands, options, traceId } = given;
  const [, method = "", text] = operands;
  const data = text === undefined ? undefined : parse(await readText(text));
  return withHost(options, report, async (host) => {
    const result = await host.call(method, data, { traceId });
    await print(format(result, method, given), given);
    return 0;
  });
}

async function readText(text: string): Promise<string> {
  return text === "-" ? (await buffer(process.stdin)).toString() : text;
}

/** JSON.parse quotes the text in its errors, which may hold secrets. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(
      `call: expected JSON as argument, got ${text.length} characters that are not; strings need double quotes inside of single ones`,
    );
  }
}

/** Bytes stay as they are, no value prints nothing, and all else is JSON. */
function format(result: unknown, method: string, { json }: Arguments): Uint8Array | string {
  const bytes = bytesOf(result);
  if (bytes) return bytes;
  try {
    const text = encodeJson(result);
    if (text === undefined) return "";
    return `${json ? text : JSON.stringify(JSON.parse(text), undefined, 2)}\n`;
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    const object = { code: "unencodable_result", message: cause.message } as const;
    throw new RootbridgeError(object, { method, cause });
  }
}

async function print(result: Uint8Array | string, { output }: Arguments): Promise<void> {
  if (output !== undefined) return writeFile(output, result);
  if (typeof result !== "string" && process.stdout.isTTY) {
    throw new UsageError(
      `call: the result is ${result.length} bytes, which a terminal can't show; use --output PATH or a pipe`,
    );
  }
  if (!process.stdout.write(result)) await once(process.stdout, "drain");
}
