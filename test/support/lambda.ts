import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import type { TestContext } from "node:test";
import type { ErrorObject } from "../../protocol/error.ts";
import { Encoding, Kind } from "../../protocol/frame.ts";
import type { LambdaRuntime } from "../../protocol/message.ts";
import type { Case } from "../lambda/cases.ts";
import { type Answer, Peer } from "./peer.ts";
import { type Event, type Outcome, RuntimeApi } from "./runtime-api.ts";
import { fixture } from "./worker-process.ts";

/** Where the handlers of tests are. */
export const TASK_ROOT: string = realpathSync(fixture("lambda/task"));
const NEVER = 60_000;
const CLIENTS: Readonly<Record<LambdaRuntime, string>> = {
  "nodejs22.x": fixture("lambda/ric3/node_modules/aws-lambda-ric"),
  "nodejs24.x": fixture("lambda/ric4/node_modules/aws-lambda-ric"),
};
const PROGRAMS: Readonly<Record<LambdaRuntime, string>> = {
  "nodejs22.x": "bin/index.mjs",
  "nodejs24.x": "index.mjs",
};
const ADDONS: Readonly<Record<LambdaRuntime, string>> = {
  "nodejs22.x": "dist/rapid-client.node",
  "nodejs24.x": "rapid-client.node",
};

/** The rules, as cases name them, with whose they are. */
export const RUNTIMES = [
  ["old", "nodejs22.x"],
  ["new", "nodejs24.x"],
] as const;

/** The events of a case. */
export function eventsOf({ events = [{}], invocations }: Case): Event[] {
  if (invocations) return invocations.map((invocation) => ({ event: {}, invocation }));
  return events.map((event) => ({ event }));
}

/** Outcomes without what depends on where a test runs: the task root, and the modules of who loads. */
export function tidied(outcomes: readonly Outcome[]): unknown {
  const text = JSON.stringify(outcomes)
    .replaceAll(TASK_ROOT, "TASK_ROOT")
    .replace(/\\n- (?!TASK_ROOT)[^"\\]*/g, "")
    .replace(/\\nRequire stack:"/g, '"')
    .replace(/imported from (?!TASK_ROOT)[^"\\]*/, "imported from …");
  return JSON.parse(text);
}

/** Why AWS's own client can't be compared with, or false. */
export function whyNoClient(runtime: LambdaRuntime): string | false {
  const isThere = existsSync(`${CLIENTS[runtime]}/${ADDONS[runtime]}`);
  return isThere ? false : "aws-lambda-ric is not installed: make lambda-ric does that";
}

/** The environment that both get. */
function environment(handler: string, runtime: LambdaRuntime): Record<string, string> {
  return {
    LAMBDA_TASK_ROOT: TASK_ROOT,
    _HANDLER: handler,
    AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
    AWS_LAMBDA_FUNCTION_NAME: "task",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/task",
    AWS_LAMBDA_LOG_STREAM_NAME: "stream",
  };
}

/** Invokes a handler by AWS's own client. What comes after the end of the process is not invoked. */
export async function invokeClient(
  t: TestContext,
  runtime: LambdaRuntime,
  handler: string,
  events: readonly Event[],
): Promise<Outcome[]> {
  const api = await RuntimeApi.start(t, events);
  const env = {
    ...process.env,
    ...environment(handler, runtime),
    AWS_LAMBDA_RUNTIME_API: api.address,
  };
  const program = `${CLIENTS[runtime]}/${PROGRAMS[runtime]}`;
  const child = spawn(process.execPath, [program, handler], {
    cwd: TASK_ROOT,
    env,
    stdio: "ignore",
  });
  t.after(() => child.kill("SIGKILL"));
  const exited = new Promise<number>((resolve) =>
    child.once("exit", (code) => resolve(code ?? -1)),
  );
  const exit = await Promise.race([exited, api.idle.then(() => undefined)]);
  return ended(api.outcomes, exit, api.isRunning);
}

/** Invokes a handler by a worker. */
export async function invokeWorker(
  t: TestContext,
  runtime: LambdaRuntime,
  handler: string,
  events: readonly Event[],
): Promise<Outcome[]> {
  const options = { convention: "lambda", handler, lambdaRuntime: runtime } as const;
  const peer = Peer.spawn(t, {
    hello: { options },
    cwd: TASK_ROOT,
    env: environment(handler, runtime),
  });
  const first = await peer.next(
    ({ kind, id }) => kind === Kind.Ready || (kind === Kind.Error && id === 0),
  );
  if (first.kind === Kind.Error) return [{ boot: typeAndMessage(await peer.fatal()) }];
  const outcomes: Outcome[] = [];
  for (const [at, { event, invocation }] of events.entries()) {
    const id = peer.sendCall("", event, {
      timeout: NEVER,
      lambda: {
        requestId: String(at + 1),
        functionArn: "arn:aws:lambda:us-east-1:000000000000:function:task",
        ...invocation,
      },
    });
    const answer = await Promise.race([peer.exited.then(() => undefined), peer.answer(id)]);
    if (answer) outcomes.push(outcomeOf(answer));
    const exit = await peer.exitOrTurn();
    if (exit !== undefined) return ended(outcomes, exit, answer === undefined);
  }
  return outcomes;
}

/** Notes the end of the process: after its last answer, or in place of one. */
function ended(outcomes: Outcome[], exit: number | undefined, isRunning: boolean): Outcome[] {
  if (exit === undefined) return outcomes;
  if (isRunning) return [...outcomes, { exit }];
  const last = outcomes.at(-1);
  // How a start that failed ends the process says nothing more.
  if (last === undefined) return [{ exit }];
  return last.boot ? outcomes : [...outcomes.slice(0, -1), { ...last, exit }];
}

function outcomeOf({ frame, value, error }: Answer): Outcome {
  if (error) return { error: typeAndMessage(error) };
  if (frame.encoding === Encoding.Raw)
    return { bytes: Buffer.from(frame.payload).toString("latin1") };
  return { result: frame.payload.length === 0 ? "" : value };
}

function typeAndMessage({ name, message }: ErrorObject): readonly [string, string] {
  return [name ?? "", message];
}
