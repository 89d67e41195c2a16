// node:http on a unix socket, with as little beside the call as it allows.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { methodOf } from "./method.ts";

const BYTES = "application/octet-stream";

const server = createServer({ keepAliveTimeout: 0, noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  response.sendDate = false;
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => void answer(request, response, join(chunks)));
});
server.listen(process.argv[2], () => process.stdout.write("listening\n"));

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  try {
    const isBytes = request.headers["content-type"] === BYTES;
    const result = await methodOf((request.url ?? "").slice(1))(
      isBytes ? body : JSON.parse(body.toString()),
    );
    const [type, payload] = Buffer.isBuffer(result)
      ? [BYTES, result]
      : ["application/json", JSON.stringify(result)]; // as text it goes out with the head, in one write
    response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(payload) });
    response.end(payload);
  } catch (error) {
    response.writeHead(500);
    response.end(String(error));
  }
}

function join(chunks: Buffer[]): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks);
}

process.stdin.on("end", () => process.exit(0)).resume();
