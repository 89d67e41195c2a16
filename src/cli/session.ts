import { constants } from "node:os";
import { type Host, start } from "../host.ts";
import type { Options } from "../options.ts";
import type { Report } from "./report.ts";

/** Starts a host, gives it to `use`, and ends it, also on SIGINT and SIGTERM. */
export async function withHost<Result>(
  options: Options,
  { logger }: Report,
  use: (host: Host) => Promise<Result>,
): Promise<Result> {
  const signals = exitOnSignals();
  try {
    const host = await start({ ...options, logger });
    signals.host = host;
    try {
      return await use(host);
    } catch (error) {
      if (!signals.leaving) throw error;
      return await forever; // the signal ends the process, without a word
    } finally {
      await host.shutdown({ timeout: 0 }).catch(() => undefined);
    }
  } finally {
    signals.stop();
  }
}

/** Ends the process with the shell's exit code for a signal, its workers before it. */
function exitOnSignals() {
  const onSignal = (name: "SIGINT" | "SIGTERM"): void => {
    const exit = (): never => process.exit(128 + constants.signals[name]);
    if (signals.leaving || signals.host === undefined) exit();
    signals.leaving = true;
    void signals.host?.shutdown({ timeout: 0 }).then(exit, exit);
  };
  const signals = {
    host: undefined as Host | undefined,
    leaving: false,
    stop: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal),
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return signals;
}

const forever = new Promise<never>(() => undefined);
