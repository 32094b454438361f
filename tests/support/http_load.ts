/** Steady HTTP load that counts every request that did not go well, for tests that restart or break something under it. */
import { Http1Client } from "./http1.ts";

export interface LoadReport {
  readonly ok: number;
  readonly failed: number;
  /** What went wrong, with counts. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Longest time between two good answers on any one connection, in ms. */
  readonly longestGapMs: number;
}

export interface RunningLoad {
  /** Good answers so far. */
  ok(): number;
  /** Stops after the requests that are under way. */
  stop(): Promise<LoadReport>;
}

export interface LoadOptions {
  readonly connections?: number;
  /** Pause of each connection between an answer and its next request. */
  readonly pauseMs?: number;
  readonly path?: string;
  /** Requests after which a connection is replaced by a new one; default: never. */
  readonly requestsPerConnection?: number;
  /** Bodies of good answers, for tests that count who answered. */
  readonly onBody?: (body: string) => void;
}

/** Starts closed-loop GETs. An answer other than 200 or a broken connection counts as failed; a new one is opened. */
export function startLoad(
  target: { readonly host: string; readonly port: number },
  options: LoadOptions = {},
): RunningLoad {
  const reasons: Record<string, number> = {};
  let ok = 0;
  let failed = 0;
  let longestGapMs = 0;
  let stopped = false;
  const fail = (reason: string) => {
    failed++;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  };
  const one = async () => {
    let client: Http1Client | null = null;
    let last = performance.now();
    let used = 0;
    while (!stopped) {
      try {
        client ??= await Http1Client.connect(target);
        const response = await client.get(options.path ?? "/");
        const now = performance.now();
        longestGapMs = Math.max(longestGapMs, now - last);
        last = now;
        if (response.status === 200) {
          ok++;
          options.onBody?.(response.body.toString());
        } else fail(`${response.status} ${response.body.toString().slice(0, 120)}`);
        const isOver = response.headers.some(([name, value]) =>
          name === "connection" && value.toLowerCase() === "close"
        );
        if (isOver || ++used >= (options.requestsPerConnection ?? Infinity)) {
          client.peer.terminate();
          client = null;
          used = 0;
        }
      } catch (cause) {
        fail(cause instanceof Error ? cause.message : String(cause));
        client?.peer.terminate();
        client = null;
        await Bun.sleep(5);
      }
      if ((options.pauseMs ?? 0) > 0) await Bun.sleep(options.pauseMs ?? 0);
    }
    client?.peer.terminate();
  };
  const all = Promise.all(Array.from({ length: options.connections ?? 4 }, one));
  return {
    ok: () => ok,
    async stop() {
      stopped = true;
      await all;
      return { ok, failed, reasons, longestGapMs };
    },
  };
}
