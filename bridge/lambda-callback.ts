import { apply, setImmediate } from "./intrinsics.ts";
import type { Ending, Invocation } from "./lambda.ts";
import { type Carried, type Context, fillContext } from "./lambda-context.ts";
import { type Handler, isThenable, receiver } from "./lambda-handler.ts";

type Finish = (first?: unknown, second?: unknown) => void;

/** What an empty event loop means to an invocation. */
type OnEmpty = () => void;

/**
 * An invocation by the rules of nodejs22.x: a handler may call back, use its context's succeed, fail and done, or return a
 * promise. The first of these counts; a callback's result waits for an empty event loop, and is made JSON only then.
 */
export class CallbackInvocation implements Invocation {
  readonly holdsLoop = false;
  readonly #ending: Ending;
  readonly #carried: Carried;
  #onEmpty: OnEmpty;
  #waits: unknown = true;
  #isFinished = false;
  /** A result was given, even if it had no JSON form. */
  #isComplete = false;

  constructor(ending: Ending, carried: Carried) {
    this.#ending = ending;
    this.#carried = carried;
    this.#onEmpty = () => this.#complete(null);
  }

  start(handler: Handler, event: unknown): void {
    const callback = this.#once((error, result) => this.#callBack(error, result));
    const context = fillContext(this.#context(), this.#carried, this.#ending.runtime);
    try {
      const returned = apply(handler, receiver, [event, context, callback]);
      if (isThenable(returned)) this.#follow(returned, context);
    } catch (thrown) {
      callback(thrown);
    }
  }

  onEmptyLoop(): void {
    const onEmpty = this.#onEmpty;
    this.#onEmpty = ignore;
    onEmpty();
  }

  #context(): Context {
    const waits = () => this.#waits;
    const setWaits = (value: unknown): void => {
      this.#waits = value;
    };
    const done = (error?: unknown, result?: unknown): void => this.#done(error, result);
    return {
      get callbackWaitsForEmptyEventLoop() {
        return waits();
      },
      set callbackWaitsForEmptyEventLoop(value) {
        setWaits(value);
      },
      succeed: this.#once((result) => done(null, result)),
      fail: this.#once((error) => done(error ?? "handled")),
      done: this.#once(done),
    };
  }

  /**
   * Code may have replaced what its context has; Lambda's client looks there, too. Of an async handler that has called back
   * nobody need hear that its promise has settled, only what it was rejected with.
   */
  #follow(promise: PromiseLike<unknown>, { succeed, fail }: Context): void {
    const fulfilled = (result: unknown): void => {
      if (!this.#isFinished) (succeed as Finish)(result);
    };
    const followed = promise.then(fulfilled, fail as Finish) as Promise<unknown>;
    followed.catch(fail as Finish);
  }

  /** One that throws, because its result has no JSON form, leaves it to the next to end the invocation. Its length is 0. */
  #once(finish: Finish): Finish {
    return (...given) => {
      if (this.#isFinished) {
        this.#ending.late(
          "ended again: only the first of callback, succeed, fail, done and promise counts",
        );
        return;
      }
      finish(given[0], given[1]);
      this.#isFinished = true;
    };
  }

  #callBack(error: unknown, result: unknown): void {
    this.#onEmpty = ignore;
    if (error !== undefined && error !== null) this.#ending.fail(error);
    else if (!this.#waits) this.#complete(result);
    else this.#onEmpty = () => void setImmediate(() => this.#complete(result));
  }

  #done(error: unknown, result: unknown): void {
    this.#onEmpty = ignore;
    if (error !== undefined && error !== null) this.#ending.fail(error);
    else this.#complete(result);
  }

  #complete(result: unknown): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#ending.succeed(result);
  }
}

function ignore(): void {
  // What ends the invocation is under way.
}
