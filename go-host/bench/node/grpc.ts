// @grpc/grpc-js on a unix socket. Messages are JSON or bytes as they are, without Protocol Buffers around them.

import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { methodOf } from "./method.ts";
import * as work from "./work.ts";

const MAX = 64 << 20;
const raw = (bytes: Buffer): Buffer => bytes;
const json = {
  serialize: (value: unknown): Buffer => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes: Buffer): unknown => JSON.parse(bytes.toString()),
};

const server = new Server({
  "grpc.enable_channelz": 0,
  "grpc.max_receive_message_length": MAX,
  "grpc.max_send_message_length": MAX,
});
for (const name of Object.keys(work)) {
  server.addService(serviceOf(`json.${name}`, json.serialize, json.deserialize), {
    call: run(name),
  });
}
server.addService(serviceOf("bytes.echo", raw as never, raw), { call: run("echo") });
server.bindAsync(`unix:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.stdout.write("listening\n");
});

function serviceOf(
  name: string,
  serialize: (value: unknown) => Buffer,
  deserialize: (bytes: Buffer) => unknown,
) {
  return {
    call: {
      path: `/${name}/call`,
      requestStream: false as const,
      responseStream: false as const,
      requestSerialize: serialize,
      requestDeserialize: deserialize,
      responseSerialize: serialize,
      responseDeserialize: deserialize,
    },
  };
}

function run(name: string) {
  const method = methodOf(name);
  return async (
    call: ServerUnaryCall<unknown, unknown>,
    done: sendUnaryData<unknown>,
  ): Promise<void> => {
    try {
      done(null, await method(call.request));
    } catch (error) {
      done(error as Error);
    }
  };
}

process.stdin.on("end", () => process.exit(0)).resume();
