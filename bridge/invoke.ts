import { Code, type ErrorObject } from "../protocol/error.ts";
import { joinTexts, sliceList } from "../protocol/list.ts";
import type { Convention } from "../protocol/message.ts";
import { type Call, runAs } from "./current-call.ts";
import {
  apply,
  getOwnPropertyDescriptor,
  isArray,
  isPromise,
  isProxy,
  NativePromise,
  nativeThen,
  SafeMap,
} from "./intrinsics.ts";
import type { Lambda } from "./lambda.ts";
import type { Handler } from "./lambda-handler.ts";
import { findTarget, isCompiledModule, listMethods, type Miss, type Target } from "./lookup.ts";
import { describeThrown } from "./thrown.ts";

/** Takes the outcome of each call, once. */
export interface Answers {
  result(call: Call, value: unknown): void;
  error(call: Call, error: ErrorObject): void;
  /** Nothing more comes in this turn of a promise, and the stack is empty. */
  pause(): void;
  /** Something happened after the answer: worth a warning, nothing more. */
  late(call: Call, what: string): void;
}

/** How Lambda handlers are called, and the one that the empty method is, if a handler string names one. */
export interface Handlers {
  lambda: Lambda;
  handler: Handler | undefined;
}

/** The loaded code, callable by name. */
export class Invoker {
  readonly #exports: unknown;
  readonly #answers: Answers;
  readonly #handlers: Handlers | undefined;
  /** Functions found among the exports themselves, where looking again is one comparison. */
  readonly #found = new SafeMap<string, Target>();

  constructor(exports: unknown, answers: Answers, handlers?: Handlers) {
    this.#exports = exports;
    this.#answers = answers;
    this.#handlers = handlers;
  }

  /** Names for ready. */
  methods(): string[] {
    return listMethods(this.#exports);
  }

  /** Starts a call with one argument, or with none if it is `undefined`. Its outcome goes to the answers, maybe at once. */
  start(call: Call, convention: Convention, argument: unknown): void {
    runAs(call, () => this.#start(call, convention, argument));
  }

  #start(call: Call, convention: Convention, argument: unknown): void {
    if (convention === "lambda" && this.#handlers) {
      this.#invoke(call, this.#handlers, argument);
      return;
    }
    const args = argumentsFor(convention, argument);
    if (!args) {
      this.#answers.error(call, notAList(call.method, convention, argument));
      return;
    }
    try {
      const target = this.#find(call.method);
      if (!("fn" in target)) this.#answers.error(call, this.#notFound(call.method, target));
      else if (convention === "value" || convention === "args") this.#call(call, target, args);
      else this.#callWithCallback(call, target, args);
    } catch (thrown) {
      this.#thrown(call, thrown);
    }
  }

  /** The empty method is the handler. */
  #invoke(call: Call, { lambda, handler }: Handlers, argument: unknown): void {
    if (handler && call.method === "") {
      lambda.invoke(call, handler, argument);
      return;
    }
    try {
      const name = call.method || DEFAULT_HANDLER;
      const target = this.#find(name);
      if ("fn" in target) lambda.invoke(call, target.fn, argument);
      else this.#answers.error(call, this.#notFound(name, target));
    } catch (thrown) {
      this.#thrown(call, thrown);
    }
  }

  #find(method: string): Target | Miss {
    const known = this.#found.get(method);
    if (known && (known.container as Exports)[method] === known.fn) return known;
    const target = findTarget(this.#exports, method);
    if ("fn" in target && target.container === this.#exports && isPlain(target.container, method)) {
      this.#found.set(method, target);
    }
    return target;
  }

  #call(call: Call, target: Target, args: unknown[]): void {
    this.#settle(call, apply(target.fn, target.container, args));
  }

  /** The first of callback, throw and rejection is the answer; what a callback function returns is not. */
  #callWithCallback(call: Call, target: Target, args: unknown[]): void {
    let called = false;
    const done = (error?: unknown, result?: unknown): void => {
      if (called || call.answered) {
        this.#answers.late(call, "called its callback again, or after its answer");
        return;
      }
      called = true;
      try {
        if (error) this.#thrown(call, error);
        else this.#settle(call, result);
      } catch (full) {
        called = false; // the stack is full: nothing was answered, and who unwinds it may do so
        throw full;
      }
    };
    const returned = apply(target.fn, target.container, withLast(args, done));
    if (!isPromise(returned)) return;
    apply(nativeThen, returned, [undefined, (thrown: unknown) => this.#thrown(call, thrown)]);
  }

  #settle(call: Call, value: unknown): void {
    try {
      const then = thenOf(value);
      if (typeof then === "function") this.#await(call, value, then);
      else this.#answers.result(call, value);
    } catch (thrown) {
      this.#thrown(call, thrown);
    }
  }

  #await(call: Call, value: unknown, then: unknown): void {
    // A promise that brings its own then, as bluebird's or a lazy one, is resolved by the standard's rules for thenables.
    const isOwn = then !== nativeThen && then !== NativePromise.prototype.then;
    const promise =
      isPromise(value) && !isOwn ? value : new NativePromise<unknown>((resolve) => resolve(value));
    apply(nativeThen, promise, [
      (result: unknown) => this.#fulfilled(call, result),
      (thrown: unknown) => this.#thrown(call, thrown),
    ]);
  }

  #fulfilled(call: Call, result: unknown): void {
    if (call.answered) return;
    this.#answers.result(call, result);
    this.#answers.pause();
  }

  #thrown(call: Call, thrown: unknown): void {
    const error = describeThrown(thrown);
    if (call.answered)
      this.#answers.late(call, `threw after its answer: ${error.stack ?? error.message}`);
    else this.#answers.error(call, error);
  }

  #notFound(method: string, miss: Miss): ErrorObject {
    const names = this.methods();
    const known =
      names.length > 0 ? joinTexts(sliceList(names, 0, 20), ", ") : "nothing that is callable";
    const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
    const what = miss.found
      ? `"${method}" is exported but is of type ${miss.found}`
      : `no export "${method}"`;
    return {
      code: Code.MethodNotFound,
      message: `${what}: expected the name of an exported function, of ${known}${more}`,
    };
  }
}

type Exports = Record<string, unknown>;

/** The export that the empty method is without a handler string. */
const DEFAULT_HANDLER = "handler";

/** True for an own property that no Proxy stands before, and no getter but a compiled module's, which may be asked twice. */
function isPlain(exports: unknown, name: string): boolean {
  if (typeof exports !== "object" || exports === null || isProxy(exports)) return false;
  const property = getOwnPropertyDescriptor(exports, name);
  return (
    property?.value !== undefined || (property?.get !== undefined && isCompiledModule(exports))
  );
}

function thenOf(value: unknown): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null)
    return undefined;
  return (value as { then?: unknown }).then;
}

/** The arguments without the callback; `undefined` if they had to be a list and are none. */
function argumentsFor(convention: Convention, argument: unknown): unknown[] | undefined {
  if (argument === undefined) return [];
  if (convention === "value" || convention === "callback") return [argument];
  return isArray(argument) ? argument : undefined;
}

/** Not by spreading, which asks Array.prototype how. */
function withLast(args: readonly unknown[], last: unknown): unknown[] {
  const all: unknown[] = [];
  for (let i = 0; i < args.length; i++) all[i] = args[i];
  all[args.length] = last;
  return all;
}

function notAList(method: string, convention: Convention, argument: unknown): ErrorObject {
  const got = argument === null ? "null" : typeof argument;
  return {
    code: Code.InvalidArgument,
    message: `"${method}" is called with convention ${convention}: expected a list of arguments, got ${got}`,
  };
}
