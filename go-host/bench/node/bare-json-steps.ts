// The same loop, which writes as often as Rootbridge does.

import { serveJSON } from "./json-loop.ts";

serveJSON(4, 16);
