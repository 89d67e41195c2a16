import { apply, nextTurn } from "./intrinsics.ts";
import type { Ending, Invocation } from "./lambda.ts";
import { type Carried, fillContext } from "./lambda-context.ts";
import { type Handler, receiver } from "./lambda-handler.ts";

/**
 * An invocation by the rules of nodejs24.x: what the handler returns, or its promise gives, is the result. It is answered in
 * a later turn of the event loop, so that an error that nothing catches comes first.
 */
export class PromiseInvocation implements Invocation {
  readonly holdsLoop = false;
  readonly #ending: Ending;
  readonly #carried: Carried;

  constructor(ending: Ending, carried: Carried) {
    this.#ending = ending;
    this.#carried = carried;
  }

  start(handler: Handler, event: unknown): void {
    void this.#run(handler, event);
  }

  /** Lambda's process ends then, since its client waits for nothing but the handler. */
  onEmptyLoop(): void {
    this.#ending.exit();
  }

  async #run(handler: Handler, event: unknown): Promise<void> {
    try {
      const context = fillContext({}, this.#carried, this.#ending.runtime);
      const result = await apply(handler, receiver, [event, context]);
      await nextTurn();
      this.#ending.succeed(result);
    } catch (thrown) {
      await nextTurn();
      this.#ending.fail(thrown);
    }
  }
}
