// Lines of JSON over stdin and stdout, as people write it by hand.

import { createInterface } from "node:readline";
import { methodOf } from "./method.ts";

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, argument } = JSON.parse(line);
  try {
    const result = await methodOf(method)(argument);
    process.stdout.write(`${JSON.stringify({ id, result })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id, error: String(error) })}\n`);
  }
});
