import type { LambdaRuntime } from "../protocol/message.ts";
import { timeOf } from "../protocol/methods.ts";
import type { Call } from "./current-call.ts";
import { assign, epochNow, floor, nativeProcess, requireBuiltin } from "./intrinsics.ts";

/** What an invocation carries beside its event. */
export interface Carried {
  readonly requestId: string;
  readonly functionArn: string | undefined;
  readonly clientContext: unknown;
  readonly identity: unknown;
  readonly trace: string | undefined;
  readonly tenantId: string | undefined;
  /** Epoch milliseconds. */
  readonly deadline: number;
}

/** What a handler's context has in any case. */
export type Context = Record<string, unknown>;

/** Lambda's longest time, in milliseconds: for calls without a bound. */
const LONGEST = 900_000;

/** What a call carries, with Lambda's defaults. */
export function carriedBy(call: Call): Carried {
  const { deadline } = call;
  const { requestId, functionArn, clientContext, identity, trace, tenantId } = call.lambda ?? {};
  return {
    requestId: requestId || newRequestId(),
    functionArn,
    clientContext,
    identity,
    trace: trace || undefined,
    tenantId,
    deadline: floor(deadline ? timeOf(deadline) : epochNow() + LONGEST),
  };
}

function newRequestId(): string {
  const { randomUUID }: typeof import("node:crypto") = requireBuiltin("node:crypto");
  return randomUUID();
}

/** Adds to a context what invocation and environment say, in the order of the runtime's own client. */
export function fillContext(context: Context, carried: Carried, runtime: LambdaRuntime): Context {
  traceInEnvironment(carried.trace);
  const { functionVersion, functionName, ...others } = ofEnvironment(nativeProcess.env);
  return runtime === "nodejs24.x"
    ? assign(context, ofInvocation(carried, { xRayTraceId: carried.trace ?? "" }), {
        functionName,
        functionVersion,
        ...others,
      })
    : assign(context, { functionVersion, functionName, ...others }, ofInvocation(carried));
}

/** The SDK and X-Ray's look for it there. */
function traceInEnvironment(trace: string | undefined): void {
  if (trace === undefined) delete nativeProcess.env["_X_AMZN_TRACE_ID"];
  else nativeProcess.env["_X_AMZN_TRACE_ID"] = trace;
}

function ofInvocation(carried: Carried, more: Context = {}): Context {
  const { deadline } = carried;
  return {
    clientContext: carried.clientContext,
    identity: carried.identity,
    invokedFunctionArn: carried.functionArn,
    awsRequestId: carried.requestId,
    tenantId: carried.tenantId,
    ...more,
    getRemainingTimeInMillis: () => deadline - epochNow(),
  };
}

function ofEnvironment(env: NodeJS.ProcessEnv): Context {
  return {
    functionName: env["AWS_LAMBDA_FUNCTION_NAME"],
    functionVersion: env["AWS_LAMBDA_FUNCTION_VERSION"],
    memoryLimitInMB: env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
    logGroupName: env["AWS_LAMBDA_LOG_GROUP_NAME"],
    logStreamName: env["AWS_LAMBDA_LOG_STREAM_NAME"],
  };
}
