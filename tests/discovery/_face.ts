/** The control half of a proxy: identity and discovery as the proxy's face wires them, without any traffic. */
import { Discovery } from "../../src/discovery/discovery.ts";
import { identityTransport } from "../../src/discovery/identity_transport.ts";
import { ControllerClient } from "../../src/discovery/rpc/client.ts";
import { IdentityStore } from "../../src/identity/store.ts";
import { type TlsPeer, verifyPeer } from "../../src/identity/verify.ts";
import { isControllerId } from "../../src/model/spiffe_id.ts";

/** What differs between tests. */
export interface FaceOptions {
  readonly port: number;
  /** Mounted roots, PEM. */
  readonly roots: string;
  readonly token?: string;
  readonly stateDir?: string;
  readonly maxStreamAgeMs?: number;
  readonly workload?: { readonly namespace: string; readonly name: string };
}

/** Both parts, started; disposing stops them. */
export class ControlFace {
  readonly identity: IdentityStore;
  readonly discovery: Discovery;
  /** What was reported as wrong. */
  readonly problems: string[] = [];

  constructor(options: FaceOptions) {
    this.identity = new IdentityStore({
      readToken: () => Promise.resolve(options.token ?? "secret"),
      now: Date.now,
      random: Math.random,
      monotonic: () => performance.now(),
      onProblem: () => {},
      saved: null,
    });
    const client = new ControllerClient({
      host: "127.0.0.1",
      port: options.port,
      mountedRoots: () => options.roots,
      credentials: () => this.identity.current(),
      verify(socket, ok, error) {
        const result = verifyPeer(socket as TlsPeer, ok, error, {
          nowMs: Date.now(),
          trustDomain: null,
          expected: isControllerId,
        });
        return result.ok ? "" : result.reason;
      },
    });
    this.discovery = new Discovery({
      client,
      workload: options.workload ?? { namespace: "shop", name: "front-0" },
      proxyVersion: "test",
      stateDir: options.stateDir ?? null,
      random: Math.random,
      onProblem: (what, detail) => this.problems.push(`${what}: ${detail}`),
      ...(options.maxStreamAgeMs === undefined ? {} : { maxStreamAgeMs: options.maxStreamAgeMs }),
    });
    this.identity.onChange(() => this.discovery.credentialsChanged());
    this.identity.start(identityTransport(client));
    this.discovery.start();
  }

  [Symbol.dispose](): void {
    this.discovery.stop();
    this.identity.stop();
  }
}

/** Waits until the predicate holds; fails with the last value after the deadline. */
export async function eventually<T>(read: () => T, holds: (value: T) => boolean, deadlineMs = 5000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = read();
    if (holds(value)) return value;
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(value)} after ${deadlineMs} ms`);
    await Bun.sleep(5);
  }
}
