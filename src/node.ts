import { FrameError } from "../protocol/frame.ts";
import { askVersion } from "./worker-process.ts";

/** The oldest major version of Node that runs the worker. */
const oldestNode = 18;

/** Throws a FrameError for a Node, given by its name and its version such as `v16.20.2`, that is too old. */
export function checkNodeVersion(node: string, version: string): void {
  const major = Number.parseInt(version.replace(/^v/, ""), 10);
  if (major >= oldestNode) return;
  const problem = Number.isNaN(major)
    ? `${node} is no Node: its version is ${JSON.stringify(version.slice(0, 64))}`
    : `${node} is Node ${version}, the worker needs Node ${oldestNode} or later`;
  throw new FrameError(`${problem}; set the option node`);
}

/** Asks a Node that did not come up for its version. Settles with undefined if that is not the reason. */
export async function diagnoseNode(node: string): Promise<string | undefined> {
  const { version, failure } = await askVersion(node);
  if (failure !== undefined) {
    return `no executable Node at ${node} (${failure}); set the option node to the path of a Node ${oldestNode} or later`;
  }
  try {
    checkNodeVersion(node, version);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
