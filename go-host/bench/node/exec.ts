// One process for each call.

import { readFileSync } from "node:fs";
import { methodOf } from "./method.ts";

const argument: unknown = JSON.parse(readFileSync(0, "utf8"));
void Promise.resolve(methodOf(process.argv[2] ?? "")(argument)).then((result) =>
  process.stdout.write(JSON.stringify(result)),
);
