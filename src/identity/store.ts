/**
 * Keeps the workload's identity valid: certifies at the start, renews before it expires, follows the trust bundle.
 *
 *     none ──certify──▶ valid ──70 % of the lifetime──▶ renewing ──▶ valid …
 *      └─ error: again after a backoff                     └─ error: again, in time; valid until the old one expires
 */
import { type BackoffLimits, backoffMs } from "../model/backoff.ts";
import type { Result } from "../base/result.ts";
import type { CertifyReply, IdentityTransport, TrustBundle, TrustSink } from "../model/trust.ts";
import { generateKey, makeCsr } from "./csr.ts";
import { Due } from "./due.ts";
import { buildIdentity, type Identity, withBundle } from "./identity.ts";
import { retryDelayMs } from "./retry.ts";

/** Share of the remaining lifetime after which a certificate is renewed: leaves room for an outage of hours at 24 h. */
export const RENEW_AT = 0.7;
/** Renewals are spread by this share to both sides, because a controller signs some 300 a second. */
const RENEW_JITTER = 0.05;
/** Time over which proxies renew when another root signs, milliseconds: a controller signs some 300 a second. */
const ROTATION_SPREAD_MS = 10_000;
/** Shortest time between renewals, whatever the lifetime. */
const MIN_RENEW_MS = 1000;
const TRUST_BACKOFF: BackoffLimits = { firstMs: 500, maxMs: 30_000 };

/** What the store needs from outside. */
export interface IdentityOptions {
  /** Reads the token anew for each request: projected tokens change. */
  readonly readToken: () => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Keeps an identity for the next start of this process, or restores it; null keeps it in memory only. */
  readonly saved: SavedIdentity | null;
  /** Told why the certificate could not be renewed, when the reason is another one than before. */
  readonly onProblem: (error: string) => void;
}

/** Memory of the last identity beyond the process. */
export interface SavedIdentity {
  load(): Identity | null;
  save(identity: Identity): void;
}

/** State for /config and metrics. */
export interface IdentityReport {
  readonly spiffeId: string;
  /** 0 without a certificate. */
  readonly notAfterMs: number;
  readonly trustVersion: number;
  readonly refreshOk: number;
  readonly refreshError: number;
  readonly trustUpdates: number;
  /** The last failure, "" after a success. */
  readonly lastError: string;
}

/** See the file's head. One per process. */
export class IdentityStore {
  readonly #options: IdentityOptions;
  readonly #listeners = new Set<(identity: Identity) => void>();
  #current: Identity | null = null;
  #transport: IdentityTransport | null = null;
  readonly #renewal: Due;
  #trustTimer: ReturnType<typeof setTimeout> | null = null;
  #cancelTrust: (() => void) | null = null;
  #stopped = false;
  #generation = 0;
  #failures = 0;
  #trustFailures = 0;
  #refreshOk = 0;
  #refreshError = 0;
  #trustUpdates = 0;
  #lastError = "";

  constructor(options: IdentityOptions) {
    this.#options = options;
    this.#renewal = new Due(options, () => this.#renew());
  }

  /** The identity in force; null before the first. It may have expired when the controller was away for long. */
  current(): Identity | null {
    return this.#current;
  }

  /** Calls back after each change of certificate or roots. @returns ends that */
  onChange(listener: (identity: Identity) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to certify and to follow the bundle. Call once. */
  start(transport: IdentityTransport): void {
    this.#transport = transport;
    const saved = this.#options.saved?.load() ?? null;
    if (saved !== null && saved.notAfterMs > this.#options.now()) this.#use(saved);
    void this.#certify(transport);
  }

  /** Ends timers and streams; the current identity stays readable. */
  stop(): void {
    this.#stopped = true;
    this.#renewal.stop();
    if (this.#trustTimer !== null) clearTimeout(this.#trustTimer);
    this.#cancelTrust?.();
    this.#cancelTrust = null;
  }

  report(): IdentityReport {
    return {
      spiffeId: this.#current?.spiffeId ?? "",
      notAfterMs: this.#current?.notAfterMs ?? 0,
      trustVersion: this.#current?.trustVersion ?? 0,
      refreshOk: this.#refreshOk,
      refreshError: this.#refreshError,
      trustUpdates: this.#trustUpdates,
      lastError: this.#lastError,
    };
  }

  async #certify(transport: IdentityTransport): Promise<void> {
    const result = await this.#request(transport);
    if (this.#stopped) return;
    const error = result.ok ? skewOf(result.value, this.#options.now()) : result.error;
    // One that is not valid by this clock is taken when there is no better one: others may have the right time.
    if (result.ok && (error === "" || !this.#isValid())) {
      this.#use(result.value);
      this.#options.saved?.save(result.value);
      if (this.#cancelTrust === null && this.#trustTimer === null) this.#watchTrust(transport);
    }
    if (result.ok && error === "") {
      this.#failures = 0;
      this.#refreshOk++;
      this.#lastError = "";
      return this.#renewal.in(this.#renewDelayMs(result.value));
    }
    this.#failures++;
    this.#refreshError++;
    if (error !== this.#lastError) this.#options.onProblem(error);
    this.#lastError = error;
    const leftMs = (this.#current?.notAfterMs ?? 0) - this.#options.now();
    this.#renewal.in(retryDelayMs(this.#failures, leftMs, this.#options.random()));
  }

  #renew(): void {
    if (this.#transport !== null) void this.#certify(this.#transport);
  }

  #isValid(): boolean {
    return this.#current !== null && skewOf(this.#current, this.#options.now()) === "";
  }

  /** A new key for each certificate: a key that leaked is of use for one lifetime at most. */
  async #request(transport: IdentityTransport): Promise<Result<Identity>> {
    try {
      const token = await this.#options.readToken();
      const key = await generateKey();
      const csr = await makeCsr(key, this.#current?.spiffeId ?? null);
      const reply: Result<CertifyReply> = await transport.certify(token.trim(), csr);
      if (!reply.ok) return reply;
      const parts = { keyPem: key.privatePem, publicKey: key.publicKey, reply: reply.value };
      return buildIdentity(parts, this.#generation + 1);
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }

  #renewDelayMs(identity: Identity): number {
    const leftMs = identity.notAfterMs - this.#options.now();
    const share = RENEW_AT + RENEW_JITTER * (2 * this.#options.random() - 1);
    return Math.max(MIN_RENEW_MS, leftMs * share);
  }

  #use(identity: Identity): void {
    this.#generation = identity.generation;
    this.#current = identity;
    for (const listener of this.#listeners) listener(identity);
  }

  #watchTrust(transport: IdentityTransport): void {
    this.#trustTimer = null;
    const sink: TrustSink = {
      onBundle: (bundle) => this.#onBundle(bundle),
      onEnd: (error) => this.#onTrustEnd(transport, error),
    };
    this.#cancelTrust = transport.watchTrust(sink);
  }

  #onBundle(bundle: TrustBundle): void {
    this.#trustFailures = 0;
    const current = this.#current;
    if (current === null || bundle.version === current.trustVersion) return;
    const next = withBundle(current, bundle, this.#generation + 1);
    if (!next.ok) {
      this.#lastError = next.error; // the roots in force stay
      return;
    }
    this.#trustUpdates++;
    this.#use(next.value);
    this.#options.saved?.save(next.value);
    if (signingRoot(current) !== signingRoot(next.value)) this.#renewSoon();
  }

  /** Another root signs now: the old one will be distrusted once everybody has a certificate of the new one. */
  #renewSoon(): void {
    if (!this.#renewal.isWaiting) return; // a request is under way, and will be answered by the new root
    this.#renewal.in(this.#options.random() * ROTATION_SPREAD_MS);
  }

  #onTrustEnd(transport: IdentityTransport, error: string): void {
    this.#cancelTrust = null;
    if (this.#stopped) return;
    if (error !== "") this.#lastError = error;
    const delayMs = backoffMs(TRUST_BACKOFF, ++this.#trustFailures, this.#options.random());
    this.#trustTimer = setTimeout(() => this.#watchTrust(transport), delayMs);
  }
}

/** "" when a certificate is valid now; otherwise who is wrong about the time, and by how much. */
function skewOf({ notBeforeMs, notAfterMs }: Identity, nowMs: number): string {
  const offMs = nowMs < notBeforeMs ? notBeforeMs - nowMs : nowMs > notAfterMs ? nowMs - notAfterMs : 0;
  if (offMs === 0) return "";
  const time = (ms: number) => new Date(ms).toISOString();
  return `clock_skew: the certificate that the controller has just made is valid from ${time(notBeforeMs)} to ` +
    `${time(notAfterMs)}, and it is ${time(nowMs)} here: the clocks are ${Math.round(offMs / 1000)} s or more apart; ` +
    "set the clock that is wrong (is NTP running on both machines?)";
}

/** The first root of a bundle is the one that signs. */
function signingRoot({ caPem }: Identity): string {
  return caPem.slice(0, caPem.indexOf("-----END CERTIFICATE-----"));
}
