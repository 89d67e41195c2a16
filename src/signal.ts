const listeners = new Set<() => void>();

/** Calls a function whenever this process gets SIGUSR2, until the function returned is called. Never on Windows. */
export function onReloadSignal(listener: () => void): () => void {
  if (process.platform === "win32") return () => undefined;
  if (listeners.size === 0) process.on("SIGUSR2", tellAll);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) process.off("SIGUSR2", tellAll);
  };
}

/** One listener of the process for all hosts: Node warns of more than ten. */
function tellAll(): void {
  for (const listener of listeners) listener();
}
