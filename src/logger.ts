import pino from "pino";

/** Where the host puts its own lines and those of its workers. A pino logger is one. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** JSON lines on stderr from level info up. Payloads and environment values are never among them. */
export function createLogger(): Logger {
  return pino({ name: "rootbridge" }, pino.destination({ dest: 2, sync: true }));
}
