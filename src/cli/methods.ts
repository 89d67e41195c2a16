import type { Arguments } from "./arguments.ts";
import type { Report } from "./report.ts";
import { withHost } from "./session.ts";

/** `rootbridge methods FILE`: prints what FILE exports. */
export function methods({ options, json }: Arguments, report: Report): Promise<number> {
  return withHost(options, report, async (host) => {
    const names = json ? [JSON.stringify(host.methods)] : host.methods;
    process.stdout.write(names.map((name) => `${name}\n`).join(""));
    return 0;
  });
}
