const { setPrototypeOf } = Object;

/** Makes an object inherit nothing, so that names which other code added to Object.prototype are not read from it. */
export function withoutPrototype<T extends object>(fields: T): T {
  return setPrototypeOf(fields, null) as T;
}
