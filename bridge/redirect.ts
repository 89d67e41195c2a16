import type { Stdio } from "./stdio.ts";
export function redirectStdio(_stdio: Stdio): void {}
