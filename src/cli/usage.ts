import { type Command, commands, flags, flagsOf } from "./arguments.ts";

type Flag = keyof typeof flags;

const pages: Readonly<Record<Command, { what: string; more: string; example: string }>> = {
  call: {
    what: "call a function that FILE exports and print its result",
    more: `JSON is the argument; "-" reads it from stdin. Results go to stdout as JSON, bytes as they
are; errors and what the code prints go to stderr.`,
    example: `rootbridge call legacy/index.js validate '{"email":"a@b.c"}'`,
  },
  worker: {
    what: "answer requests on stdin",
    more: `Each line of stdin is a request {"method","data","timeout","trace_id"}, each line of stdout its
answer, in the same order. Exits with 0 if the last answer was a result, else with 1. When the
first byte of stdin is FF, frames of the Rootbridge protocol pass through to a worker, so that
any host can start this as its worker program. SIGUSR2 makes it reload FILE: lines that run finish
with the code as it was, and it goes on with that if the new code does not load.`,
    example: `echo '{"method":"validate","data":{"email":"a@b.c"}}' | rootbridge worker legacy/index.js`,
  },
  methods: {
    what: "list the functions that FILE exports",
    more: "One name on each line; --json prints a list.",
    example: "rootbridge methods legacy/index.js",
  },
};

/** What --help prints: of all commands, or of one. */
export function usage(command: Command | undefined): string {
  return command === undefined ? overview() : page(command);
}

function overview(): string {
  const rows = Object.entries(pages).map(([name, { what }]) => [synopsis(name as Command), what]);
  return `Calls functions of JavaScript files, each in a Node process of its own.

Usage:
${table(rows)}

Exit codes:
${table([
  ["0", "a result"],
  ["1", "the call failed"],
  ["2", "wrong usage"],
  ["3", "the code did not load, or Node did not start"],
  ["130, 143", "ended by SIGINT, SIGTERM"],
  ["141", "nobody reads stdout any more"],
])}

Example:
  ${pages.call.example}

"rootbridge COMMAND --help" says more of each command.
`;
}

function page(command: Command): string {
  const { what, more, example } = pages[command];
  return `Usage: rootbridge ${synopsis(command)}

${what.charAt(0).toUpperCase()}${what.slice(1)}.

${more}

Flags:
${table(flagsOf[command].map(describe))}

Example:
  ${example}
`;
}

function synopsis(command: Command): string {
  return [command, ...commands[command]].join(" ");
}

function describe(name: Flag): string[] {
  const flag = flags[name];
  const short = "short" in flag ? `-${flag.short}, ` : "";
  const of = "of" in flag ? ` ${flag.of}` : "";
  return [`${short}--${name}${of}`, flag.help];
}

function table(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([first = ""]) => first.length));
  return rows.map(([first = "", second]) => `  ${first.padEnd(width)}  ${second}`).join("\n");
}
