// What the contenders run where only their own start counts.

/** Returns what it gets. */
export const echo = async (value: unknown): Promise<unknown> => value;
