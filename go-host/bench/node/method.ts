import * as work from "./work.ts";

type Method = (argument: unknown) => unknown;

const methods = { ...work } as unknown as Record<string, Method>;

/** The function with a name. */
export function methodOf(name: string): Method {
  const method = methods[name];
  if (!method) throw new Error(`no function ${name}`);
  return method;
}
