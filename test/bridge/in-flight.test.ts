import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Call } from "../../bridge/current-call.ts";
import { InFlight } from "../../bridge/in-flight.ts";
import { Encoding } from "../../protocol/frame.ts";

test("calls are found by their ids as in a map, whichever end when", () => {
  /** A new call, with so many ids left out before it, or the end of one of those in flight. */
  const step = fc.oneof(
    fc.record({ skip: fc.oneof(fc.constant(0), fc.constant(63), fc.nat(300)) }),
    fc.record({ end: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const inFlight = new InFlight();
      const expected = new Map<number, Call>();
      let lastId = 0;
      for (const next of steps) {
        if ("skip" in next) {
          lastId += 1 + next.skip;
          const call = new Call(lastId, { method: "echo" }, Encoding.Json, 0);
          inFlight.add(call);
          expected.set(lastId, call);
        } else if (expected.size > 0) {
          const [id, call] = [...expected][next.end % expected.size] as [number, Call];
          inFlight.remove(call);
          expected.delete(id);
          assert.equal(inFlight.get(id), undefined);
        }
        assert.equal(inFlight.count, expected.size);
      }
      for (let id = 1; id <= lastId + 70; id++) assert.equal(inFlight.get(id), expected.get(id));
    }),
  );
});
