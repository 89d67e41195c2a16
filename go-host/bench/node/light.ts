// Of the functions that every contender runs those that load nothing.

/** Returns what it gets. */
export const echo = async (value: unknown): Promise<unknown> => value;

/** As many rules as a form has, by hand. */
export function check(customer: { name: string; email: string; age: number }): {
  valid: boolean;
  problems: string[];
} {
  const problems: string[] = [];
  if (customer.name.trim() === "") problems.push("name");
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(customer.email)) problems.push("email");
  if (!(customer.age >= 18 && customer.age < 130)) problems.push("age");
  return { valid: problems.length === 0, problems };
}
