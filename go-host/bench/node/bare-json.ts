// The limit with JSON: the same frames, each decoded and encoded again; one write for all that came at once.

import { serveJSON } from "./json-loop.ts";

serveJSON(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
