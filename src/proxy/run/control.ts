/** The control side of a proxy, one per process: its identity, and what the controller says. */
import type { Logger } from "../../base/log.ts";
import { VERSION } from "../../base/version.ts";
import type { ProxyConfig } from "../../config/proxy_config.ts";
import { Discovery, type SnapshotSink } from "../../discovery/discovery.ts";
import { identityTransport } from "../../discovery/identity_transport.ts";
import { ControllerClient } from "../../discovery/rpc/client.ts";
import { savedIdentity } from "../../identity/saved.ts";
import { IdentityStore } from "../../identity/store.ts";
import { verifyPeer } from "../../identity/verify.ts";
import type { Identity } from "../../identity/identity.ts";
import type { InboundPolicy } from "../../model/inbound.ts";
import { isControllerId } from "../../model/spiffe_id.ts";
import type { RawSocket } from "../../net/socket.ts";
import { readText } from "../../os/files.ts";
import type { ProxyMetrics } from "../../telemetry/proxy_metrics.ts";
import type { TargetSource } from "../proxy.ts";

/** Who uses what it brings. */
export interface ControlUser {
  useIdentity(identity: Identity): void;
  usePolicy(policy: InboundPolicy): void;
}

export class Control {
  readonly identity: IdentityStore;
  readonly discovery: Discovery;
  readonly #client: ControllerClient;
  readonly #log: Logger;
  #seenOk = 0;
  #seenErrors = 0;

  /** @param mirror gets each snapshot as it came, for workers; null without any */
  constructor(config: ProxyConfig, log: Logger, onRefused: () => void, mirror: SnapshotSink | null) {
    this.#log = log;
    this.identity = new IdentityStore({
      readToken: async () => readText(config.tokenFile),
      now: () => Date.now(),
      monotonic: () => performance.now(),
      onProblem: (error) => log.warn("the certificate was not renewed", { error }),
      random: Math.random,
      saved: config.stateDir === null ? null : savedIdentity(
        `${config.stateDir}/identity.json`,
        (error) => log.warn("cannot keep the identity", { error: String(error) }),
      ),
    });
    this.#client = new ControllerClient({
      host: config.controllerAddress.host,
      port: config.controllerAddress.port,
      mountedRoots: () => readText(config.trustBundleFile),
      credentials: () => this.identity.current(),
      verify: verifyController,
    });
    this.discovery = new Discovery({
      client: this.#client,
      workload: { namespace: config.workloadNamespace, name: config.workloadName },
      proxyVersion: VERSION,
      stateDir: config.stateDir,
      random: Math.random,
      onProblem: (what, detail) => {
        onRefused();
        log.warn(what, { detail });
      },
      mirror,
    });
  }

  #certPem = "";

  /** Restores the last good state, then follows the controller. Call once. */
  start(user: ControlUser, metrics: ProxyMetrics): void {
    metrics.registry.onCollect(() => this.#collect(metrics));
    this.identity.onChange((identity) => {
      user.useIdentity(identity);
      this.discovery.credentialsChanged();
      metrics.certExpirationSeconds.set(identity.notAfterMs / 1000);
      const roots = fingerprints(identity.caPem);
      if (identity.certPem !== this.#certPem) {
        this.#certPem = identity.certPem;
        metrics.certRefreshSeconds.set(Math.floor(Date.now() / 1000));
        metrics.setSigningRoot(roots[0] ?? "");
      }
      metrics.setTrustedRoots(roots);
      this.#log.debug("certificate in force", {
        spiffe_id: identity.spiffeId,
        not_after: new Date(identity.notAfterMs).toISOString(),
      });
    });
    this.discovery.onInbound((policy) => {
      metrics.countUpdate("applied");
      user.usePolicy(policy);
    });
    this.identity.start(identityTransport(this.#client));
    this.discovery.start();
  }

  stop(): void {
    this.discovery.stop();
    this.identity.stop();
  }

  /** Where the data path of the main thread has its targets from. */
  source(): TargetSource {
    const { discovery } = this;
    return {
      async discover(key, timeoutMs) {
        const found = await discovery.want(key, timeoutMs);
        return "kind" in found ? `${found.code}: ${found.detail}` : found;
      },
      follow: (key, listener) => discovery.onChange(key, listener),
    };
  }

  /** What is missing before traffic can be served. */
  missing(): string[] {
    const reasons = [...this.discovery.ready().reasons];
    if (this.identity.current() === null) {
      const { lastError } = this.identity.report();
      reasons.push(lastError === "" ? "no certificate yet" : `no certificate yet: ${lastError}`);
    }
    return reasons;
  }

  /** Brings what other parts count up to date for a scrape. */
  #collect(metrics: ProxyMetrics): void {
    const { refreshOk, refreshError } = this.identity.report();
    for (; this.#seenOk < refreshOk; this.#seenOk++) metrics.countCertRefresh("ok");
    for (; this.#seenErrors < refreshError; this.#seenErrors++) metrics.countCertRefresh("error");
    metrics.controllerConnected.set(this.discovery.isConnected ? 1 : 0);
  }
}

/** SHA-256 of each root, 16 hex digits: what a rotation of the root looks at. */
function fingerprints(caPem: string): string[] {
  return [...caPem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(([, body = ""]) =>
    new Bun.CryptoHasher("sha256").update(Buffer.from(body, "base64")).digest("hex").slice(0, 16)
  );
}

/** Says "" when the peer is the controller. */
function verifyController(socket: unknown, ok: boolean, error: Error | null): string {
  // The first call comes before this workload has a trust domain, and a later one may bring it into another.
  const expectation = { nowMs: Date.now(), trustDomain: null, expected: isControllerId };
  const peer = verifyPeer(socket as RawSocket, ok, error, expectation);
  return peer.ok ? "" : peer.reason;
}
