// The limit: what comes goes back as it is, in one write for all that came at once. No call is looked at.

import { writeSync } from "node:fs";
import { readChunks } from "./chunks.ts";

readChunks((chunk) => {
  for (let at = 0; at < chunk.length; ) at += writeSync(1, chunk, at);
});
