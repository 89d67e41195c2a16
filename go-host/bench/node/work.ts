// The functions that every contender runs.

import { Ajv } from "ajv";
import Handlebars from "handlebars";

export { check, echo } from "./light.ts";

const order = {
  type: "object",
  required: ["id", "customer", "lines"],
  additionalProperties: false,
  properties: {
    id: { type: "integer", minimum: 1 },
    customer: {
      type: "object",
      required: ["name", "email"],
      properties: {
        name: { type: "string", minLength: 1, maxLength: 100 },
        email: { type: "string", pattern: "^[^\\s@]+@[^\\s@]+$" },
      },
    },
    lines: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["sku", "quantity", "price"],
        properties: {
          sku: { type: "string", pattern: "^[A-Z]-[0-9]+$" },
          quantity: { type: "integer", minimum: 1 },
          price: { type: "number", exclusiveMinimum: 0 },
        },
      },
    },
  },
};
const isOrder = new Ajv({ allErrors: true }).compile(order);

/** A schema's verdict, from ajv. */
export function validate(value: unknown): { valid: boolean; problems: string[] } {
  if (isOrder(value)) return { valid: true, problems: [] };
  return {
    valid: false,
    problems: (isOrder.errors ?? []).map((e) => `${e.instancePath} ${e.message}`),
  };
}

const page = Handlebars.compile(`<h1>Order {{id}}</h1>
<p>{{customer.name}} &lt;{{customer.email}}&gt;</p>
<table>
{{#each lines}}<tr><td>{{sku}}</td><td>{{quantity}}</td><td>{{price}}</td></tr>
{{/each}}</table>`);

/** A page, from handlebars. */
export function render(value: unknown): string {
  return page(value);
}

/** So many rounds over a sieve of 2,000 numbers: nothing but work for the processor. */
export function heavy(rounds: number): number {
  let primes = 0;
  for (let round = 0; round < rounds; round++) {
    const composite = new Uint8Array(2_000);
    primes = 0;
    for (let n = 2; n < composite.length; n++) {
      if (composite[n]) continue;
      primes++;
      for (let m = n * n; m < composite.length; m += n) composite[m] = 1;
    }
  }
  return primes;
}
