/** Ports that are free now, and waiting until something listens on one. */
import { createServer } from "node:net";

const POLL_MS = 10;

/** A TCP port nobody listens on at `host`; held only until this returns, so bind it soon. */
export function freePort(host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** `count` distinct free ports. */
export async function freePorts(count: number, host = "127.0.0.1"): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort(host));
  return [...ports];
}

/** True when a connection to host:port is accepted. */
export async function accepts(host: string, port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: host, port, socket: { data() {}, open() {}, error() {} } });
    socket.terminate();
    return true;
  } catch {
    return false; // refused: nobody listens yet
  }
}

/**
 * Waits until host:port accepts connections. Rejects after `timeoutMs`, or at once when `gone` says the process behind
 * it has ended.
 */
export async function waitForPort(
  host: string,
  port: number,
  options: { timeoutMs?: number; pollMs?: number; gone?: () => string | null } = {},
): Promise<void> {
  const deadline = Date.now() + (options.timeoutMs ?? 10_000);
  while (!(await accepts(host, port))) {
    const gone = options.gone?.() ?? null;
    if (gone !== null) throw new Error(`nothing listens on ${host}:${port}: ${gone}`);
    if (Date.now() > deadline) {
      throw new Error(`nothing listens on ${host}:${port} after ${options.timeoutMs ?? 10_000} ms`);
    }
    await Bun.sleep(options.pollMs ?? POLL_MS);
  }
}
