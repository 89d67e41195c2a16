// The same loop with a trace id before each call, which is a text of its own, and nothing else is done with it.

import { serveJSON } from "./json-loop.ts";

const ID_SIZE = 32;
let last = "";

serveJSON(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, ID_SIZE, (id) => {
  last = id;
});
process.on("exit", () => last); // so that no text is made in vain
