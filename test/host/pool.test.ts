import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Lease, Pool, type Slot } from "../../src/pool.ts";

const full = new Error("full");
const tired = new Error("tired");
const closed = new Error("closed");
const patient = new AbortController().signal;

function makePool(queueLimit = 10, queueTimeout = 60_000): Pool<string> {
  const options = { queueLimit, queueTimeout, queueFull: () => full, queueWait: () => tired };
  return new Pool(options);
}

describe("a pool", { concurrency: true }, () => {
  test("lends the least loaded resource", async () => {
    const pool = makePool();
    pool.add("a", 2);
    pool.add("b", 2);
    const names: string[] = [];
    for (let i = 0; i < 4; i++) names.push((await pool.acquire(patient)).slot.resource);
    assert.deepEqual(names, ["a", "b", "a", "b"]);
    assert.deepEqual(pool.stats(), { slots: 2, paused: 0, draining: 0, users: 4, queued: 0 });
  });

  test("lets users wait, first in, first out", async () => {
    const pool = makePool();
    pool.add("a", 1);
    const first = await pool.acquire(patient);
    const order: number[] = [];
    const later = [1, 2, 3].map(async (n) => {
      const lease = await pool.acquire(patient);
      order.push(n);
      lease.release();
    });
    assert.equal(pool.stats().queued, 3);
    first.release();
    await Promise.all(later);
    assert.deepEqual(order, [1, 2, 3]);
  });

  test("lets who waits again come before all others, in order, and beyond its limit", async () => {
    const pool = makePool(1);
    pool.add("a", 1);
    const first = await pool.acquire(patient);
    const order: string[] = [];
    const uses = async (name: string, waiting: Promise<Lease<string>>) => {
      const lease = await waiting;
      order.push(name);
      lease.release();
    };
    const later = [
      uses("new", pool.acquire(patient)),
      uses("again", pool.acquireAgain(patient)),
      uses("again, too", pool.acquireAgain(patient)),
    ];
    first.release();
    await Promise.all(later);
    assert.deepEqual(order, ["again", "again, too", "new"]);
  });

  test("lets no more wait than its limit", async () => {
    const pool = makePool(1);
    const waiting = pool.acquire(patient);
    await assert.rejects(pool.acquire(patient), full);
    pool.add("a", 1);
    (await waiting).release();
    (await pool.acquire(patient)).release();
  });

  test("lends what was just released without anyone waiting, even if none may wait", async () => {
    const pool = makePool(0);
    pool.add("a", 1);
    for (let i = 0; i < 3; i++) (await pool.acquire(patient)).release();
    const lease = await pool.acquire(patient);
    await assert.rejects(pool.acquire(patient), full);
    lease.release();
  });

  test("ends a wait that is too long, and one that its user gives up", async () => {
    const pool = makePool(10, 20);
    await assert.rejects(pool.acquire(patient), tired);
    const user = new AbortController();
    const waiting = makePool().acquire(user.signal);
    user.abort(new Error("went home"));
    await assert.rejects(waiting, /went home/);
    assert.equal(pool.stats().queued, 0);
  });

  test("lends nothing of a draining slot, and forgets it when told", async () => {
    const pool = makePool();
    const a = pool.add("a", 1);
    const lease = await pool.acquire(patient);
    pool.drain(a);
    const waiting = pool.acquire(patient);
    lease.release();
    pool.add("b", 1);
    assert.equal((await waiting).slot.resource, "b");
    assert.deepEqual(pool.resources(), ["a", "b"]);
    pool.remove(a);
    assert.deepEqual(pool.stats(), { slots: 1, paused: 0, draining: 0, users: 1, queued: 0 });
  });

  test("lends nothing of a paused slot until it resumes", async () => {
    const pool = makePool();
    const a = pool.add("a", 2);
    const lease = await pool.acquire(patient);
    pool.pause(a);
    const waiting = pool.acquire(patient);
    lease.release();
    pool.break(new Error("broken")); // not while a resource may take users again
    assert.deepEqual(pool.stats(), { slots: 0, paused: 1, draining: 0, users: 0, queued: 1 });
    pool.resume(a);
    (await waiting).release();
  });

  test("that is broken fails whoever waits or comes, until a resource is added", async () => {
    const pool = makePool();
    const waiting = assert.rejects(pool.acquire(patient), /broken/);
    pool.break(new Error("broken"));
    await waiting;
    await assert.rejects(pool.acquire(patient), /broken/);
    pool.add("a", 1);
    (await pool.acquire(patient)).release();
    pool.break(new Error("broken")); // not while a resource takes users
    (await pool.acquire(patient)).release();
  });

  test("that is closed stays closed", async () => {
    const pool = makePool();
    const waiting = assert.rejects(pool.acquire(patient), closed);
    pool.close(closed);
    await waiting;
    pool.add("a", 1);
    await assert.rejects(pool.acquire(patient), closed);
  });

  test("never lends more than there is, and loses nobody, whatever happens", async () => {
    const kind = fc.constantFrom(
      "add",
      "acquire",
      "release",
      "drain",
      "remove",
      "pause",
      "resume",
      "turn",
    );
    const steps = fc.array(fc.record({ kind, n: fc.nat() }), { maxLength: 60 });
    await fc.assert(fc.asyncProperty(steps, run), { numRuns: 150 });
  });
});

type Kind = "add" | "acquire" | "release" | "drain" | "remove" | "pause" | "resume" | "turn";
interface Thing {
  readonly capacity: number;
  users: number;
}

async function run(steps: readonly { kind: Kind; n: number }[]): Promise<void> {
  const pool = new Pool<Thing>({
    queueLimit: 1_000,
    queueTimeout: 60_000,
    queueFull: () => full,
    queueWait: () => tired,
  });
  const slots: Slot<Thing>[] = [];
  const leases: Lease<Thing>[] = [];
  const waits: Promise<void>[] = [];
  const take = async (): Promise<void> => {
    const lease = await pool.acquire(patient);
    const thing = lease.slot.resource;
    thing.users++;
    assert.ok(thing.users <= thing.capacity);
    leases.push(lease);
  };
  const release = (lease: Lease<Thing>): void => {
    lease.slot.resource.users--;
    lease.release();
  };
  const actions: Record<Kind, (n: number) => unknown> = {
    add: (n) => slots.push(pool.add({ capacity: 1 + (n % 3), users: 0 }, 1 + (n % 3))),
    acquire: () => waits.push(take()),
    release: (n) => pick(leases, n, release),
    drain: (n) => pick(slots, n, (slot) => pool.drain(slot)),
    remove: (n) => pick(slots, n, (slot) => pool.remove(slot)),
    pause: (n) => pick(slots, n, (slot) => [pool.pause(slot), slots.push(slot)]),
    resume: (n) => pick(slots, n, (slot) => [pool.resume(slot), slots.push(slot)]),
    turn: () => new Promise(setImmediate),
  };
  for (const { kind, n } of steps) await actions[kind](n);
  pool.add({ capacity: 1_000, users: 0 }, 1_000);
  await Promise.all(waits);
  for (const lease of leases.splice(0)) release(lease);
  const { users, queued } = pool.stats();
  assert.deepEqual({ users, queued }, { users: 0, queued: 0 });
}

/** Takes one out of a list, if there is any. */
function pick<Item>(items: Item[], n: number, use: (item: Item) => unknown): void {
  const [item] = items.splice(n % Math.max(1, items.length), 1);
  if (item !== undefined) use(item);
}
