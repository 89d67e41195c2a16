// A debugger as small as can be: node inspector-client.mjs WS-URL SOURCE LINE
//
// Sets a breakpoint on a line, counted from 1, of a source file that a script's source map names, and prints a line of JSON
// for each thing that happens: {"set": true}, {"paused": {source, line, argument}}, {"resumed": true}. It resumes when it
// reads a line, and ends with its stdin.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [url = "", source = "", line = ""] = process.argv.slice(2);
const wanted = Number(line) - 1;
const socket = new WebSocket(url);
const answers = new Map();
let lastId = 0;
let map;

socket.addEventListener("open", () => send("Debugger.enable"));
socket.addEventListener("error", () => fail(`can't connect to ${url}`));
socket.addEventListener("message", ({ data }) => {
  const { id, method, params, result, error } = JSON.parse(data);
  if (error) fail(error.message);
  if (id) answers.get(id)?.(result);
  if (method === "Debugger.scriptParsed") onScript(params);
  if (method === "Debugger.paused") void onPaused(params);
  if (method === "Debugger.resumed") say({ resumed: true });
});
createInterface({ input: process.stdin })
  .on("line", () => send("Debugger.resume"))
  .on("close", () => process.exit(0));

async function onScript({ url: script, sourceMapURL }) {
  if (!sourceMapURL || !script.startsWith("file:")) return;
  const found = new SourceMap(JSON.parse(readFileSync(new URL(sourceMapURL, script), "utf8")));
  if (!found.payload.sources.includes(source)) return;
  map = found;
  const lines = readFileSync(fileURLToPath(script), "utf8").split("\n");
  const generated = lines.findIndex((_, at) => map.findEntry(at, 0).originalLine === wanted);
  await send("Debugger.setBreakpointByUrl", { url: script, lineNumber: generated });
  say({ set: true });
}

async function onPaused({ callFrames: [frame] }) {
  const { lineNumber, columnNumber } = frame.location;
  const { originalSource, originalLine } = map.findEntry(lineNumber, columnNumber);
  const { result } = await send("Debugger.evaluateOnCallFrame", {
    callFrameId: frame.callFrameId,
    expression: "arguments[0]",
  });
  say({ paused: { source: originalSource, line: originalLine + 1, argument: result.value } });
}

function send(method, params = {}) {
  lastId += 1;
  socket.send(JSON.stringify({ id: lastId, method, params }));
  return new Promise((resolve) => answers.set(lastId, resolve));
}

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
