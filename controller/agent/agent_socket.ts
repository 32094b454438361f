/** What the plugin and the agent of its node say to each other: HTTP with JSON, over a socket in the file system. */
import { chmodSync, existsSync, mkdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import type { CaptureAnswer } from "./pod_capture.ts";

/** Longest wait for the agent, milliseconds. A runtime gives a plugin minutes; a pod that starts should not wait. */
const ASK_TIMEOUT_MS = 5_000;

/** Which pod is meant. The UID tells a pod from an earlier one of its name. */
export interface PodKey {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Serves the socket. @param answer null when there is no such pod */
export function serveAgentSocket(
  path: string,
  answer: (pod: PodKey) => Promise<CaptureAnswer | null>,
): { stop(): void } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path)) unlinkSync(path); // of an agent that is gone: there is one of each node
  const server = Bun.serve({
    unix: path,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/pod") return new Response("want /pod?namespace=&name=&uid=\n", { status: 404 });
      const [namespace, name, uid] = ["namespace", "name", "uid"].map((key) => searchParams.get(key) ?? "");
      try {
        const found = await answer({ namespace: namespace ?? "", name: name ?? "", uid: uid ?? "" });
        return found === null ? new Response("no such pod\n", { status: 404 }) : Response.json(found);
      } catch (error) {
        return new Response(`${error instanceof Error ? error.message : String(error)}\n`, { status: 503 });
      }
    },
  });
  chmodSync(path, 0o600);
  return { stop: () => void server.stop(true) };
}

/** Asks the agent about a pod. @throws Error when it does not answer, or knows no such pod */
export async function askAgent(path: string, { namespace, name, uid }: PodKey): Promise<CaptureAnswer> {
  const query = new URLSearchParams({ namespace, name, uid }).toString();
  const response = await fetch(`http://agent/pod?${query}`, {
    unix: path,
    signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the agent says ${response.status}: ${(await response.text()).trim()}`);
  return await response.json() as CaptureAnswer; // our own agent's word
}
