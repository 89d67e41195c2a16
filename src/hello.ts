import { FrameError, MAX_HELLO, VERSION } from "../protocol/frame.ts";
import { type EncodingName, encodeHello, type Hello } from "../protocol/message.ts";
import { RootbridgeError } from "./error.ts";
import { checkNodeVersion } from "./node.ts";
import type { Settings } from "./options.ts";

/** The host's hello. Throws `invalid_argument` for a source that is too long for it. */
export function helloOf(settings: Settings): Uint8Array {
  const { convention, codec, source, handler, lambda, maxPayload } = settings;
  const encodings: EncodingName[] = codec === "msgpack" ? ["json", "raw", codec] : ["json", "raw"];
  const options = {
    convention,
    codec,
    ...(source === undefined ? {} : { source }),
    ...(handler === undefined ? {} : { handler }),
    ...(convention === "lambda" ? { lambdaRuntime: lambda.runtime } : {}),
  };
  const hello = encodeHello({ protocol: VERSION, maxPayload, encodings, options });
  if (hello.length <= MAX_HELLO) return hello;
  throw new RootbridgeError({
    code: "invalid_argument",
    message: `options: source is too long: ${hello.length} bytes as JSON, at most ${MAX_HELLO}; use entry`,
  });
}

/** Throws a FrameError for the hello of a worker that the host can't work with. */
export function checkHello(hello: Hello, { codec, command, node }: Settings): void {
  if (!hello.encodings.includes(codec)) {
    throw new FrameError(`the worker does not speak ${codec}; use the codec json`);
  }
  if (command === undefined) checkNodeVersion(node, hello.runtimeVersion ?? "");
}
