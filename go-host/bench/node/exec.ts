// One process for each call.

import { readFileSync } from "node:fs";
import { methodOf } from "./method.ts";

const result = await methodOf(process.argv[2] ?? "")(JSON.parse(readFileSync(0, "utf8")));
process.stdout.write(JSON.stringify(result));
