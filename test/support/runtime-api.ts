import http from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Invocation } from "../../protocol/message.ts";

/** What became of an invocation, or of the start. */
export interface Outcome {
  /** Of JSON. */
  result?: unknown;
  /** What was streamed, as latin1. */
  bytes?: string;
  /** Type and message. */
  error?: readonly [type: string, message: string];
  /** Type and message of what did not start. */
  boot?: readonly [type: string, message: string];
  /** How the process ended: after an answer, or in place of one. */
  exit?: number;
}

/** What is invoked. */
export interface Event {
  readonly event: unknown;
  readonly invocation?: Invocation;
}

const FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:task";
const MAX_RESPONSE = 6_291_556;
const TIME_LEFT = 60_000;
const PATH =
  /^\/2018-06-01\/runtime\/(?<what>init\/error|invocation\/next|invocation\/(?<id>[^/]+)\/(?<answer>response|error))$/;

/** As much of Lambda's Runtime API as its clients need. It hands out events and keeps what comes back. */
export class RuntimeApi {
  readonly outcomes: Outcome[] = [];
  /** Settles when the client asks for an event after the last. */
  readonly idle: Promise<void>;
  readonly #events: Event[];
  readonly #idle = Promise.withResolvers<void>();
  readonly #server = http.createServer((request, response) => void this.#serve(request, response));
  #given = 0;
  #asked = false;

  static async start(t: TestContext, events: readonly Event[]): Promise<RuntimeApi> {
    const api = new RuntimeApi(events);
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      api.#server.close();
      api.#server.closeAllConnections();
    });
    return api;
  }

  private constructor(events: readonly Event[]) {
    this.#events = [...events];
    this.idle = this.#idle.promise;
  }

  /** For AWS_LAMBDA_RUNTIME_API. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** True while an event that was handed out has no answer. */
  get isRunning(): boolean {
    return this.#given > this.outcomes.length;
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { what, id, answer } = PATH.exec(request.url ?? "")?.groups ?? {};
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (what === "invocation/next") this.#giveNext(response);
    else if (what === "init/error") this.#take(response, { boot: typeAndMessage(body) }, 202);
    else if (id !== String(this.#given) || !this.isRunning) respond(response, 403);
    else if (answer === "error") this.#take(response, { error: typeAndMessage(body) }, 202);
    else this.#takeResponse(request, response, body);
  }

  #giveNext(response: http.ServerResponse): void {
    const next = this.#events.shift();
    if (next === undefined) {
      this.#asked = true; // and the client waits, as on Lambda
      this.#tellIdle();
      return;
    }
    this.#given += 1;
    const text = JSON.stringify(next.event);
    response.writeHead(200, headersOf(String(this.#given), next.invocation ?? {})).end(text);
  }

  #takeResponse(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer): void {
    const mode = request.headers["lambda-runtime-function-response-mode"];
    if (mode === "streaming") this.#take(response, streamed(request, body), 202);
    else if (body.length > MAX_RESPONSE) this.#take(response, { error: tooLarge }, 413);
    else
      this.#take(response, { result: body.length === 0 ? "" : JSON.parse(body.toString()) }, 202);
  }

  #take(response: http.ServerResponse, outcome: Outcome, status: number): void {
    this.outcomes.push(outcome);
    respond(response, status);
    this.#tellIdle();
  }

  /** A client may ask for the next event while it still sends what it has. */
  #tellIdle(): void {
    if (this.#asked && !this.isRunning) this.#idle.resolve();
  }
}

/** What Lambda itself says then, without its client. */
const tooLarge = [
  "Function.ResponseSizeTooLarge",
  `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE} bytes).`,
] as const;

function respond(response: http.ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/json" }).end('{"status":"OK"}');
}

function headersOf(id: string, invocation: Invocation): Record<string, string> {
  const { clientContext, identity, trace, tenantId } = invocation;
  return {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": id,
    "Lambda-Runtime-Deadline-Ms": String(Date.now() + TIME_LEFT),
    "Lambda-Runtime-Invoked-Function-Arn": invocation.functionArn ?? FUNCTION_ARN,
    ...(clientContext === undefined
      ? {}
      : { "Lambda-Runtime-Client-Context": JSON.stringify(clientContext) }),
    ...(identity === undefined
      ? {}
      : { "Lambda-Runtime-Cognito-Identity": JSON.stringify(identity) }),
    ...(trace === undefined ? {} : { "Lambda-Runtime-Trace-Id": trace }),
    ...(tenantId === undefined ? {} : { "Lambda-Runtime-Aws-Tenant-Id": tenantId }),
  };
}

function typeAndMessage(body: Buffer): readonly [string, string] {
  const { errorType, errorMessage } = JSON.parse(body.toString());
  return [errorType, errorMessage];
}

/** What has failed within says so in a trailer. */
function streamed(request: http.IncomingMessage, body: Buffer): Outcome {
  const failure = request.trailers["lambda-runtime-function-error-body"];
  if (failure !== undefined) return { error: typeAndMessage(Buffer.from(failure, "base64")) };
  return { bytes: body.toString("latin1") };
}
