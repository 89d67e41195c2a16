import type { Invocation } from "../../protocol/message.ts";
import type { Outcome } from "../support/runtime-api.ts";

/** How a handler of test/fixtures/lambda/task is invoked, and what becomes of it by AWS's own client. */
export interface Case {
  readonly about: string;
  /** A handler string. */
  readonly handler: string;
  /** One for each invocation, in one process; by default one, an empty object. */
  readonly events?: readonly unknown[];
  /** What invocations carry, in place of events. */
  readonly invocations?: readonly Invocation[];
  /** By nodejs22.x; absent where it shows nothing. */
  readonly old?: readonly Outcome[];
  /** By nodejs24.x. */
  readonly new?: readonly Outcome[];
  /** The row of docs/lambda.md that says why a worker does otherwise. */
  readonly differs?: string;
  /** What becomes of it in a worker, where that is something else. */
  readonly here?: { readonly old?: readonly Outcome[]; readonly new?: readonly Outcome[] };
}

export const cases: readonly Case[] = [
  {
    about: "a callback's result",
    handler: "callback.later",
    events: [{ a: 1 }],
    old: [{ result: { got: { a: 1 } } }],
    new: [
      {
        boot: [
          "Runtime.CallbackHandlerDeprecated",
          "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.",
        ],
      },
    ],
  },
  {
    about: "a callback's result is made JSON when the event loop is empty",
    handler: "callback.waits",
    events: [{}],
    old: [{ result: { later: true } }],
  },
  {
    about: "callbackWaitsForEmptyEventLoop = false",
    handler: "callback.waitsNot",
    events: [{}],
    old: [{ result: {} }],
  },
  {
    about: "callbackWaitsForEmptyEventLoop = false, after the callback",
    handler: "callback.waitsNotTooLate",
    events: [{}],
    old: [{ result: { later: true } }],
  },
  {
    about: "a callback called twice",
    handler: "callback.twice",
    old: [{ result: 1 }],
  },
  {
    about: "a callback's error, then its result",
    handler: "callback.errorThenResult",
    old: [{ error: ["Error", "first"] }],
  },
  {
    about: "a callback's result, then a throw",
    handler: "callback.resultThenThrow",
    old: [{ result: "first" }],
  },
  {
    about: "whatever is neither undefined nor null is a callback's error",
    handler: "callback.failsWith",
    events: [
      { what: "false" },
      { what: "zero" },
      { what: "empty" },
      { what: "text" },
      { what: "object" },
      { what: "bare" },
      { what: "error" },
    ],
    old: [
      { error: ["boolean", "false"] },
      { error: ["number", "0"] },
      { error: ["string", ""] },
      { error: ["string", "text"] },
      { error: ["object", "[object Object]"] },
      { error: ["TypeError", "Cannot convert object to primitive value"] },
      { error: ["TypeError", "wrong"] },
    ],
  },
  {
    about: "a callback without arguments",
    handler: "callback.nothing",
    old: [{ result: null }],
  },
  {
    about: "a callback with an undefined error",
    handler: "callback.undefinedError",
    old: [{ result: 1 }],
  },
  {
    about:
      "a callback's cyclic result ends the process, since it is made JSON only when the event loop is empty",
    handler: "callback.cyclic",
    old: [{ error: ["Error", "Unable to stringify response body"], exit: 129 }],
  },
  {
    about: "a callback's cyclic result that need not wait",
    handler: "callback.cyclicAtOnce",
    events: [{}, {}],
    old: [
      { error: ["Error", "Unable to stringify response body"] },
      { error: ["Error", "Unable to stringify response body"] },
    ],
  },
  {
    about: "a callback's result that is a BigInt",
    handler: "callback.bigint",
    old: [{ error: ["Error", "Unable to stringify response body"], exit: 129 }],
  },
  {
    about: "a callback's result that is a function",
    handler: "callback.fn",
    old: [{ error: ["TypeError", "Wrong arguments"], exit: 129 }],
  },
  {
    about: "context.succeed",
    handler: "callback.succeed",
    events: [{ a: 1 }],
    old: [{ result: { a: 1 } }],
  },
  {
    about: "context.succeed waits for nothing",
    handler: "callback.succeedWaitsNot",
    events: [{}],
    old: [{ result: {} }],
  },
  {
    about: "context.fail with an error",
    handler: "callback.failError",
    old: [{ error: ["RangeError", "failed"] }],
  },
  {
    about: "context.fail with a text",
    handler: "callback.failText",
    old: [{ error: ["string", "text"] }],
  },
  {
    about: "context.fail without an argument",
    handler: "callback.failNothing",
    old: [{ error: ["string", "handled"] }],
  },
  {
    about: "context.done with a result",
    handler: "callback.doneResult",
    events: [{ a: 1 }],
    old: [{ result: { a: 1 } }],
  },
  {
    about: "context.done with an error",
    handler: "callback.doneError",
    old: [{ error: ["Error", "done"] }],
  },
  {
    about: "context.done, then the callback",
    handler: "callback.doneThenCallback",
    old: [{ result: "done" }],
  },
  {
    about: "the callback, then context.done",
    handler: "callback.callbackThenDone",
    old: [{ result: "callback" }],
  },
  {
    about: "an async handler that also calls back",
    handler: "callback.asyncAndCallback",
    old: [{ result: "callback" }],
  },
  {
    about: "an async handler that calls back after it has returned",
    handler: "callback.asyncBeforeCallback",
    old: [{ result: "promise" }],
  },
  {
    about: "an async handler that calls back with an error, and throws",
    handler: "callback.asyncCallbackError",
    old: [{ error: ["Error", "callback"] }],
  },
  {
    about: "a returned value that is no promise",
    handler: "plain.returns",
    old: [{ result: null }],
    new: [{ result: 5 }],
  },
  {
    about: "nothing at all",
    handler: "plain.nothing",
    old: [{ result: null }],
    new: [{ result: null }],
  },
  {
    about: "a throw",
    handler: "plain.throws",
    old: [{ error: ["TypeError", "thrown"] }],
    new: [{ error: ["TypeError", "thrown"] }],
  },
  {
    about: "a thrown text",
    handler: "plain.throwsText",
    old: [{ error: ["string", "text"] }],
    new: [{ error: ["string", "text"] }],
  },
  {
    about: "throw undefined",
    handler: "plain.throwsUndefined",
    old: [{ result: null }],
    new: [{ error: ["undefined", "undefined"] }],
  },
  {
    about: "throw null",
    handler: "plain.throwsNull",
    old: [{ result: null }],
    new: [{ error: ["object", "null"] }],
  },
  {
    about: "a promise that never settles",
    handler: "plain.never",
    events: [{}, {}],
    old: [{ result: null }, { result: null }],
    new: [{ exit: 0 }],
  },
  {
    about: "a promise that only a timer settles which holds nothing",
    handler: "plain.unrefed",
    old: [{ result: null }],
    new: [{ exit: 0 }],
  },
  {
    about: "a thenable",
    handler: "plain.thenable",
    old: [{ result: "thenable" }],
    new: [{ result: "thenable" }],
  },
  {
    about: "how many arguments there are",
    handler: "plain.parameters",
    old: [{ result: 3 }],
    new: [{ result: 2 }],
  },
  {
    about: "results and what JSON makes of them",
    handler: "async.returns",
    events: [
      { what: "value" },
      { what: "undefined" },
      { what: "null" },
      { what: "false" },
      { what: "number" },
      { what: "date" },
      { what: "buffer" },
      { what: "map" },
      { what: "holes" },
      { what: "gone" },
      { what: "toJson" },
      { what: "toJsonThrows" },
      { what: "bigint" },
      { what: "fn" },
      { what: "symbol" },
      { what: "text" },
    ],
    old: [
      { result: { a: [1, "b", null] } },
      { result: null },
      { result: null },
      { result: false },
      { result: null },
      { result: "1970-01-01T00:00:00.000Z" },
      { result: { type: "Buffer", data: [97, 98] } },
      { result: {} },
      { result: [null, null, null] },
      { result: {} },
      { result: "json" },
      { error: ["Error", "Unable to stringify response body"] },
      { error: ["Error", "Unable to stringify response body"] },
      { error: ["TypeError", "Wrong arguments"] },
      { error: ["TypeError", "Wrong arguments"] },
      { result: "\u00e9\u2028\ud800" },
    ],
    new: [
      { result: { a: [1, "b", null] } },
      { result: null },
      { result: null },
      { result: false },
      { result: null },
      { result: "1970-01-01T00:00:00.000Z" },
      { result: { type: "Buffer", data: [97, 98] } },
      { result: {} },
      { result: [null, null, null] },
      { result: {} },
      { result: "json" },
      { error: ["Runtime.JSONStringifyError", "Unable to stringify response body"] },
      { error: ["Runtime.JSONStringifyError", "Unable to stringify response body"] },
      { error: ["TypeError", "Wrong arguments"] },
      { error: ["TypeError", "Wrong arguments"] },
      { result: "\u00e9\u2028\ud800" },
    ],
  },
  {
    about: "errors and what is no error",
    handler: "async.throws",
    events: [
      { what: "error" },
      { what: "own" },
      { what: "named" },
      { what: "nameless" },
      { what: "nameNumber" },
      { what: "empty" },
      { what: "stackless" },
      { what: "deleted" },
      { what: "getter" },
      { what: "text" },
      { what: "number" },
      { what: "undefined" },
      { what: "null" },
      { what: "object" },
      { what: "errorLike" },
      { what: "symbol" },
      { what: "aggregate" },
      { what: "cause" },
    ],
    old: [
      { error: ["TypeError", "wrong"] },
      { error: ["OwnError", "own"] },
      { error: ["Some.Name", "m"] },
      { error: ["", "m"] },
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
      },
      { error: ["Error", ""] },
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
      },
      { error: ["Error", "a%7Fb"] },
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
      },
      { error: ["string", "text"] },
      { error: ["number", "7"] },
      { error: ["string", "handled"] },
      { error: ["string", "handled"] },
      { error: ["object", "[object Object]"] },
      { error: ["Like", "m"] },
      { error: ["TypeError", "Cannot convert a Symbol value to a string"] },
      { error: ["AggregateError", "many"] },
      { error: ["Error", "outer"] },
    ],
    new: [
      { error: ["TypeError", "wrong"] },
      { error: ["OwnError", "own"] },
      { error: ["Some.Name", "m"] },
      { error: ["", "m"] },
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
      },
      { error: ["Error", ""] },
      { error: ["Error", "m"] },
      { error: ["Error", "a%7Fb"] },
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
      },
      { error: ["string", "text"] },
      { error: ["number", "7"] },
      { error: ["undefined", "undefined"] },
      { error: ["object", "null"] },
      { error: ["object", "[object Object]"] },
      { error: ["object", "[object Object]"] },
      { error: ["symbol", "Symbol(a)"] },
      { error: ["AggregateError", "many"] },
      { error: ["Error", "outer"] },
    ],
  },
  {
    about: "what has no text can't be an error either",
    handler: "async.throws",
    events: [{ what: "bare" }],
    old: [{ error: ["TypeError", "Cannot convert object to primitive value"] }],
    new: [{ exit: 1 }],
  },
  {
    about: "two invocations after each other",
    handler: "async.later",
    events: [{ a: 1 }, { a: 2 }],
    old: [{ result: { a: 1 } }, { result: { a: 2 } }],
    new: [{ result: { a: 1 } }, { result: { a: 2 } }],
  },
  {
    about: "a result of more than 6,291,556 bytes",
    handler: "async.text",
    events: [{ size: 6291557 }, { size: 5 }],
    old: [
      {
        error: [
          "Function.ResponseSizeTooLarge",
          "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ],
      },
      { result: "aaa" },
    ],
    new: [
      {
        error: [
          "Function.ResponseSizeTooLarge",
          "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ],
      },
      { result: "aaa" },
    ],
  },
  {
    about: "a result of more than 6,291,556 bytes in fewer characters",
    handler: "async.wide",
    events: [{ size: 6291558 }],
    old: [
      {
        error: [
          "Function.ResponseSizeTooLarge",
          "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ],
      },
    ],
    new: [
      {
        error: [
          "Function.ResponseSizeTooLarge",
          "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ],
      },
    ],
  },
  {
    about: "the names in a context",
    handler: "context.keys",
    old: [
      {
        result: [
          "callbackWaitsForEmptyEventLoop",
          "succeed",
          "fail",
          "done",
          "functionVersion",
          "functionName",
          "memoryLimitInMB",
          "logGroupName",
          "logStreamName",
          "clientContext",
          "identity",
          "invokedFunctionArn",
          "awsRequestId",
          "tenantId",
          "getRemainingTimeInMillis",
        ],
      },
    ],
    new: [
      {
        result: [
          "clientContext",
          "identity",
          "invokedFunctionArn",
          "awsRequestId",
          "tenantId",
          "xRayTraceId",
          "getRemainingTimeInMillis",
          "functionName",
          "functionVersion",
          "memoryLimitInMB",
          "logGroupName",
          "logStreamName",
        ],
      },
    ],
  },
  {
    about: "the values in a context",
    handler: "context.fields",
    invocations: [
      { clientContext: { a: 1 }, identity: { b: 2 }, trace: "Root=1", tenantId: "t" },
      {},
    ],
    old: [
      {
        result: {
          callbackWaitsForEmptyEventLoop: true,
          functionVersion: "$LATEST",
          functionName: "task",
          memoryLimitInMB: "128",
          logGroupName: "/aws/lambda/task",
          logStreamName: "stream",
          clientContext: { a: 1 },
          identity: { b: 2 },
          invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:task",
          awsRequestId: "1",
          tenantId: "t",
          trace: "Root=1",
          hasTrace: true,
        },
      },
      {
        result: {
          callbackWaitsForEmptyEventLoop: true,
          functionVersion: "$LATEST",
          functionName: "task",
          memoryLimitInMB: "128",
          logGroupName: "/aws/lambda/task",
          logStreamName: "stream",
          invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:task",
          awsRequestId: "2",
          hasTrace: false,
        },
      },
    ],
    new: [
      {
        result: {
          clientContext: { a: 1 },
          identity: { b: 2 },
          invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:task",
          awsRequestId: "1",
          tenantId: "t",
          xRayTraceId: "Root=1",
          functionName: "task",
          functionVersion: "$LATEST",
          memoryLimitInMB: "128",
          logGroupName: "/aws/lambda/task",
          logStreamName: "stream",
          trace: "Root=1",
          hasTrace: true,
        },
      },
      {
        result: {
          invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:task",
          awsRequestId: "2",
          xRayTraceId: "",
          functionName: "task",
          functionVersion: "$LATEST",
          memoryLimitInMB: "128",
          logGroupName: "/aws/lambda/task",
          logStreamName: "stream",
          hasTrace: false,
        },
      },
    ],
  },
  {
    about: "the time left",
    handler: "context.time",
    old: [{ result: true }],
    new: [{ result: true }],
  },
  {
    about: "what callbackWaitsForEmptyEventLoop is at first",
    handler: "context.waits",
    old: [{ result: true }],
    new: [{ result: null }],
  },
  {
    about: "this",
    handler: "context.receiver",
    events: [{}, {}],
    old: [{ result: ["object", null] }, { result: ["object", true] }],
    new: [{ result: ["object", null] }, { result: ["object", true] }],
  },
  {
    about: "require.main",
    handler: "context.main",
    old: [{ result: false }],
    new: [{ result: false }],
  },
  {
    about: "an event is new each time",
    handler: "context.event",
    events: [{}, {}],
    old: [{ result: [null, { seen: true }] }, { result: [null, { seen: true }] }],
    new: [{ result: [null, { seen: true }] }, { result: [null, { seen: true }] }],
  },
  {
    about: "a leftover timer runs in the next invocation",
    handler: "leftovers.runs",
    events: [{}, {}],
    old: [{ result: "first" }, { result: ["leftover"] }],
    new: [{ result: "first" }, { result: ["leftover"] }],
  },
  {
    about: "a leftover timer's rejection belongs to the next invocation",
    handler: "leftovers.rejects",
    events: [{}, {}],
    old: [
      { result: "first" },
      { error: ["Runtime.UnhandledPromiseRejection", "TypeError: left"], exit: 128 },
    ],
    new: [{ result: "first" }, { exit: 1 }],
  },
  {
    about: "a leftover timer's throw belongs to the next invocation",
    handler: "leftovers.throws",
    events: [{}, {}],
    old: [{ result: "first" }, { error: ["TypeError", "left"], exit: 129 }],
    new: [{ result: "first" }, { exit: 1 }],
  },
  {
    about: "a leftover callback ends nothing",
    handler: "leftovers.callsBack",
    events: [{}, {}],
    old: [{ result: "first" }, { result: ["called back"] }],
  },
  {
    about: "a leftover callback's error ends nothing",
    handler: "leftovers.failsBack",
    events: [{}, {}],
    old: [{ result: "first" }, { result: ["called back"] }],
  },
  {
    about: "an unhandled rejection: error",
    handler: "ends.rejects",
    events: [{ what: "error" }],
    old: [{ error: ["Runtime.UnhandledPromiseRejection", "TypeError: left"], exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an uncaught exception: error",
    handler: "ends.throws",
    events: [{ what: "error" }],
    old: [{ error: ["TypeError", "left"], exit: 129 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an unhandled rejection: text",
    handler: "ends.rejects",
    events: [{ what: "text" }],
    old: [{ error: ["Runtime.UnhandledPromiseRejection", "text"], exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an uncaught exception: text",
    handler: "ends.throws",
    events: [{ what: "text" }],
    old: [{ error: ["string", "text"], exit: 129 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an unhandled rejection: undefined",
    handler: "ends.rejects",
    events: [{ what: "undefined" }],
    old: [{ error: ["Runtime.UnhandledPromiseRejection", ""], exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an uncaught exception: undefined",
    handler: "ends.throws",
    events: [{ what: "undefined" }],
    old: [
      {
        error: [
          "handled",
          "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
        ],
        exit: 129,
      },
    ],
    new: [{ exit: 1 }],
  },
  {
    about: "an unhandled rejection: object",
    handler: "ends.rejects",
    events: [{ what: "object" }],
    old: [{ error: ["Runtime.UnhandledPromiseRejection", "[object Object]"], exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an uncaught exception: object",
    handler: "ends.throws",
    events: [{ what: "object" }],
    old: [{ error: ["object", "[object Object]"], exit: 129 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an unhandled rejection of a handler that returns",
    handler: "ends.rejectsAndReturns",
    old: [{ result: "returned", exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "an unhandled rejection of a handler that throws",
    handler: "ends.rejectsAndThrows",
    old: [{ error: ["Error", "thrown"], exit: 128 }],
    new: [{ exit: 1 }],
  },
  {
    about: "a rejection that is handled in time",
    handler: "ends.handlesLater",
    old: [{ result: "handled" }],
    new: [{ result: "handled" }],
  },
  {
    about: "process.exit(0)",
    handler: "ends.exits",
    events: [{ code: 0 }],
    old: [{ exit: 0 }],
    new: [{ exit: 0 }],
  },
  {
    about: "process.exit(3)",
    handler: "ends.exits",
    events: [{ code: 3 }],
    old: [{ exit: 3 }],
    new: [{ exit: 3 }],
  },
  {
    about: "process.exit in a timer",
    handler: "ends.exitsLater",
    events: [{ code: 4 }],
    old: [{ exit: 4 }],
    new: [{ exit: 4 }],
  },
  {
    about: "process.exitCode",
    handler: "ends.setsExitCode",
    old: [{ result: "set" }],
    new: [{ result: "set" }],
  },
  {
    about: "a listener for unhandled rejections of the handler's own",
    handler: "ends.listensToo",
    old: [{ error: ["Runtime.UnhandledPromiseRejection", "TypeError: left"], exit: 128 }],
    new: [{ result: "heard" }],
  },
  {
    about: "a listener for unhandled rejections in place of all others",
    handler: "ends.listensAlone",
    old: [{ result: "heard" }],
    new: [{ result: "heard" }],
  },
  {
    about: "streamed bytes",
    handler: "streams.bytes",
    old: [{ bytes: 'a\u00ff\u0000{"b":1}' }],
    new: [{ bytes: 'a\u00ff\u0000{"b":1}' }],
  },
  {
    about: "a stream that only ends",
    handler: "streams.ends",
    old: [{ bytes: "only" }],
    new: [{ bytes: "only" }],
  },
  {
    about: "a stream that ends after its handler",
    handler: "streams.later",
    old: [{ bytes: "late" }],
    new: [{ bytes: "late" }],
  },
  {
    about: "a pipeline",
    handler: "streams.pipes",
    old: [{ bytes: "ab" }],
    new: [{ bytes: "ab" }],
  },
  {
    about: "a streamed HTTP response",
    handler: "streams.http",
    old: [
      {
        bytes:
          '{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000text',
      },
    ],
    new: [
      {
        bytes:
          '{"statusCode":201,"headers":{"a":"b"},"cookies":["c=d"]}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000text',
      },
    ],
    differs: "streamed HTTP response",
    here: {
      old: [
        {
          result: {
            statusCode: 201,
            headers: { a: "b" },
            cookies: ["c=d"],
            body: "text",
            isBase64Encoded: false,
          },
        },
      ],
      "new": [
        {
          result: {
            statusCode: 201,
            headers: { a: "b" },
            cookies: ["c=d"],
            body: "text",
            isBase64Encoded: false,
          },
        },
      ],
    },
  },
  {
    about: "a streamed HTTP response that is no text",
    handler: "streams.httpBytes",
    old: [
      { bytes: '{"statusCode":200}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u00ff\u00fe' },
    ],
    new: [
      { bytes: '{"statusCode":200}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u00ff\u00fe' },
    ],
    differs: "streamed HTTP response",
    here: {
      old: [{ result: { statusCode: 200, body: "//4=", isBase64Encoded: true } }],
      "new": [{ result: { statusCode: 200, body: "//4=", isBase64Encoded: true } }],
    },
  },
  {
    about: "a streamed HTTP response that only ends",
    handler: "streams.httpEnds",
    old: [{ bytes: "text" }],
    new: [{ bytes: "text" }],
    differs: "`HttpResponseStream.from(\u2026).end(body)`",
    here: {
      old: [{ result: { statusCode: 201, body: "text", isBase64Encoded: false } }],
      "new": [{ result: { statusCode: 201, body: "text", isBase64Encoded: false } }],
    },
  },
  {
    about: "a streaming handler's result is ignored",
    handler: "streams.returns",
    old: [{ bytes: "" }],
    new: [{ bytes: "" }],
  },
  {
    about: "a streaming handler that rejects",
    handler: "streams.rejects",
    old: [{ error: ["TypeError", "before"] }],
    new: [{ error: ["TypeError", "before"] }],
  },
  {
    about: "a streaming handler that rejects after it has written",
    handler: "streams.rejectsLater",
    old: [{ error: ["TypeError", "within"] }],
    new: [{ error: ["TypeError", "within"] }],
  },
  {
    about: "a streaming handler that returns no promise",
    handler: "streams.sync",
    old: [{ error: ["string", "Streaming does not support non-async handlers."] }],
    new: [{ error: ["Error", "Streaming does not support non-async handlers."] }],
  },
  {
    about: "a streaming handler that returns no promise, and has ended its stream",
    handler: "streams.syncEnds",
    old: [{ bytes: "x" }],
    new: [{ bytes: "x" }],
  },
  {
    about: "nothing that is written",
    handler: "streams.nothing",
    old: [{ bytes: "Cannot read properties of null (reading 'length')" }],
    new: [{ bytes: "Cannot read properties of null (reading 'length')" }],
  },
  {
    about: "what is to come before the first bytes",
    handler: "streams.before",
    old: [{ bytes: "before ab" }],
    new: [{ bytes: "before ab" }],
  },
  {
    about: "status and headers that a framework writes itself",
    handler: "streams.ownPrelude",
    old: [{ bytes: '{"statusCode":201}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000text' }],
    new: [{ bytes: '{"statusCode":201}\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000text' }],
    differs: "streamed HTTP response",
    here: {
      old: [{ result: { statusCode: 201, body: "text", isBase64Encoded: false } }],
      "new": [{ result: { statusCode: 201, body: "text", isBase64Encoded: false } }],
    },
  },
  {
    about: "a pipeline that fails within",
    handler: "streams.fails",
    old: [{ error: ["Runtime.UnhandledPromiseRejection", "RangeError: within"], exit: 128 }],
    new: [{ exit: 1 }],
    differs: "a stream that fails: a broken pipeline, `destroy`, a write after its end",
    here: {
      old: [{ error: ["RangeError", "within"] }],
      "new": [{ error: ["RangeError", "within"] }],
    },
  },
  {
    about: "a corked stream",
    handler: "streams.corked",
    old: [{ bytes: "a" }],
    new: [{ bytes: "a" }],
    differs: "`cork`, `pipe`, `end(text, encoding)` of a stream",
    here: { old: [{ bytes: "ab" }], "new": [{ bytes: "ab" }] },
  },
  {
    about: "a message that is long",
    handler: "async.long",
    old: [{ error: ["RangeError", "long".repeat(2_500)] }],
    new: [{ error: ["RangeError", "long".repeat(2_500)] }],
  },
  {
    about: "how many parameters the functions for ending have",
    handler: "callback.lengths",
    old: [{ result: [0, 0, 0, 0] }],
  },
  {
    about: "removed listeners for an empty event loop",
    handler: "callback.removesBeforeExit",
    old: [{ exit: 0 }],
    differs: '`process.removeAllListeners("beforeExit")` in a handler that calls back',
    here: { old: [{ result: "sent at once" }] },
  },
  {
    about: "the parent of its module",
    handler: "async.parent",
    old: [{ result: "object" }],
    new: [{ result: "undefined" }],
    differs: "`module.parent`",
    here: { "new": [{ result: "object" }] },
  },
  {
    about: "a content type after the first bytes",
    handler: "streams.tooLate",
    old: [{ error: ["Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."] }],
    new: [{ error: ["Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."] }],
  },
  {
    about: "the names in the context of a streaming handler",
    handler: "streams.context",
    old: [
      {
        bytes:
          '["callbackWaitsForEmptyEventLoop","functionVersion","functionName","memoryLimitInMB","logGroupName","logStreamName","clientContext","identity","invokedFunctionArn","awsRequestId","tenantId","getRemainingTimeInMillis"]',
      },
    ],
    new: [
      {
        bytes:
          '["clientContext","identity","invokedFunctionArn","awsRequestId","tenantId","xRayTraceId","getRemainingTimeInMillis","functionName","functionVersion","memoryLimitInMB","logGroupName","logStreamName"]',
      },
    ],
  },
  {
    about: "a mark that is not for response streaming",
    handler: "streams.wrong",
    old: [{ boot: ["ReferenceError", "MalformedStreamingHandler is not defined"] }],
    new: [{ boot: ["Runtime.MalformedStreamingHandler", "Only response streaming is supported."] }],
    differs: "a handler marked for another streaming",
    here: {
      old: [
        { boot: ["Runtime.MalformedStreamingHandler", "Only response streaming is supported."] },
      ],
    },
  },
  {
    about: "a nested handler in a folder",
    handler: "src/app.api.orders",
    old: [{ result: "orders" }],
    new: [{ result: "orders" }],
  },
  {
    about: "a handler that is null",
    handler: "src/app.api.nothing",
    old: [
      { boot: ["Runtime.HandlerNotFound", "src/app.api.nothing is undefined or not exported"] },
    ],
    new: [
      { boot: ["Runtime.HandlerNotFound", "src/app.api.nothing is undefined or not exported"] },
    ],
  },
  {
    about: "a handler that is an object",
    handler: "src/app.api",
    old: [{ boot: ["Runtime.HandlerNotFound", "src/app.api is not a function"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "src/app.api is not a function"] }],
  },
  {
    about: "an ES module",
    handler: "module.handler",
    old: [{ result: "mjs" }],
    new: [{ result: "mjs" }],
  },
  {
    about: "an export of a default export",
    handler: "module.inside",
    old: [{ boot: ["Runtime.HandlerNotFound", "module.inside is undefined or not exported"] }],
    new: [{ result: "default" }],
  },
  {
    about: "a .cjs",
    handler: "common.handler",
    old: [{ result: "cjs" }],
    new: [{ result: "cjs" }],
  },
  {
    about: "an ES module by its package.json",
    handler: "typed/index.handler",
    old: [{ result: ["undefined", "typed"] }],
    new: [{ result: ["undefined", "typed"] }],
  },
  {
    about: "a module without an extension",
    handler: "bare.handler",
    old: [{ result: "without extension" }],
    new: [{ result: "without extension" }],
  },
  {
    about: "a folder of the module's name",
    handler: "folder.handler",
    old: [{ result: "the file" }],
    new: [
      {
        boot: [
          "Error",
          "Directory import 'TASK_ROOT/folder' is not supported resolving ES modules imported from \u2026\nDid you mean to import \"TASK_ROOT/folder.js\"?",
        ],
      },
    ],
    differs: "a folder of the module's name",
    here: { "new": [{ result: "the file" }] },
  },
  {
    about: "a text for a handler",
    handler: "values.text",
    old: [{ boot: ["Runtime.HandlerNotFound", "values.text is not a function"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "values.text is not a function"] }],
  },
  {
    about: "undefined for a handler",
    handler: "values.handler",
    old: [{ boot: ["Runtime.HandlerNotFound", "values.handler is undefined or not exported"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "values.handler is undefined or not exported"] }],
  },
  {
    about: "no such export",
    handler: "values.absent",
    old: [{ boot: ["Runtime.HandlerNotFound", "values.absent is undefined or not exported"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "values.absent is undefined or not exported"] }],
  },
  {
    about: "a nested function",
    handler: "values.nested.fn",
    old: [{ result: null }],
    new: [{ result: null }],
  },
  {
    about: "a name that leads nowhere",
    handler: "values.text.a.b",
    old: [{ boot: ["Runtime.HandlerNotFound", "values.text.a.b is undefined or not exported"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "values.text.a.b is undefined or not exported"] }],
  },
  {
    about: "no name",
    handler: "values.",
    old: [{ boot: ["Runtime.HandlerNotFound", "values. is undefined or not exported"] }],
    new: [{ boot: ["Runtime.HandlerNotFound", "values. is undefined or not exported"] }],
  },
  {
    about: "a syntax error",
    handler: "syntax.handler",
    old: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
    new: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
  },
  {
    about: "a syntax error of an ES module",
    handler: "syntax-module.handler",
    old: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
    new: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
  },
  {
    about: "a syntax error of a module that is required",
    handler: "inner-syntax.handler",
    old: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
    new: [{ boot: ["Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"] }],
  },
  {
    about: "a missing package",
    handler: "missing.handler",
    old: [
      {
        boot: [
          "Runtime.ImportModuleError",
          "Error: Cannot find module 'no-such-package-of-rootbridge'\nRequire stack:\n- TASK_ROOT/missing.js",
        ],
      },
    ],
    new: [
      {
        boot: [
          "Runtime.ImportModuleError",
          "Error: Cannot find module 'no-such-package-of-rootbridge'\nRequire stack:\n- TASK_ROOT/missing.js",
        ],
      },
    ],
  },
  {
    about: "a missing package of an ES module",
    handler: "missing-module.handler",
    old: [
      {
        boot: [
          "Error",
          "Cannot find package 'no-such-package-of-rootbridge' imported from TASK_ROOT/missing-module.mjs",
        ],
      },
    ],
    new: [
      {
        boot: [
          "Error",
          "Cannot find package 'no-such-package-of-rootbridge' imported from TASK_ROOT/missing-module.mjs",
        ],
      },
    ],
  },
  {
    about: "a missing module",
    handler: "absent.handler",
    old: [{ boot: ["Runtime.ImportModuleError", "Error: Cannot find module 'absent'"] }],
    new: [{ boot: ["Runtime.ImportModuleError", "Error: Cannot find module 'absent'"] }],
  },
  {
    about: "a throw while loading",
    handler: "throws.handler",
    old: [{ boot: ["TypeError", "at import"] }],
    new: [{ boot: ["TypeError", "at import"] }],
  },
  {
    about: "a thrown text while loading",
    handler: "throws-text.handler",
    old: [{ boot: ["string", "at import"] }],
    new: [{ boot: ["string", "at import"] }],
  },
  {
    about: "process.exit while loading",
    handler: "exits.handler",
    old: [{ exit: 3 }],
    new: [{ exit: 3 }],
    differs: "a process that ends while its code loads",
    here: {
      old: [
        { boot: ["Runtime.ExitError", "process.exit(3) was called while the code was loading"] },
      ],
      "new": [
        { boot: ["Runtime.ExitError", "process.exit(3) was called while the code was loading"] },
      ],
    },
  },
  {
    about: "an unhandled rejection while loading",
    handler: "rejects.handler",
    old: [{ boot: ["Runtime.UnhandledPromiseRejection", "TypeError: at import"] }],
    new: [{ exit: 1 }],
    differs: "a process that ends while its code loads",
    here: { "new": [{ boot: ["TypeError", "at import"] }] },
  },
  {
    about: "a top-level await",
    handler: "awaits.handler",
    old: [{ result: "awaited" }],
    new: [{ result: "awaited" }],
  },
  {
    about: "a handler that is a property of a function",
    handler: "function.handler",
    old: [{ result: "of a function" }],
    new: [{ result: "of a function" }],
  },
  {
    about: "a way out of the folder",
    handler: "../task/values.handler",
    old: [
      {
        boot: [
          "Runtime.MalformedHandlerName",
          "'../task/values.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
        ],
      },
    ],
    new: [
      {
        boot: [
          "Runtime.MalformedHandlerName",
          "'../task/values.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
        ],
      },
    ],
  },
  {
    about: "a handler string without a dot",
    handler: "nodot",
    old: [{ boot: ["Runtime.MalformedHandlerName", "Bad handler"] }],
    new: [{ boot: ["Runtime.MalformedHandlerName", "Bad handler"] }],
  },
];
