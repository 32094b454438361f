/** The DNS of a workload whose names are pinned: what listens, what is remembered, and what of it outlives the process. */
import { errorText } from "../../base/error.ts";
import type { Logger } from "../../base/log.ts";
import { makeFolder, readText, replaceFile } from "../../os/files.ts";
import { DnsMetrics } from "../../telemetry/dns_metrics.ts";
import type { Registry } from "../../telemetry/registry.ts";
import { DnsRelay, STOP_MS } from "./dns_relay.ts";
import { MAX_RESOLV_CONF, type Nameserver, parseNameservers } from "./nameservers.ts";
import type { Pins, SavedPins } from "./pins.ts";

const RESOLV_CONF = "/etc/resolv.conf";
const FILE = "dns-pins.json";
/** A full table takes about 2 MB. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** What is new is written after this, milliseconds: at a start many names come at once. */
const GATHER_MS = 1_000;

export interface ResolverOptions {
  readonly pins: Pins;
  readonly listen: Nameserver;
  /** Null: those of /etc/resolv.conf. */
  readonly nameservers: readonly Nameserver[] | null;
  /** Null: nothing is kept over a restart. */
  readonly stateDir: string | null;
  readonly registry: Registry;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  clock(): number;
  /** Milliseconds since 1970. */
  wallClock(): number;
}

/** Pins in a file. Times are relative to when it was written: the clock of a process begins with it. */
interface Saved {
  readonly savedAtMs: number;
  readonly pins: SavedPins;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #relay: DnsRelay;
  #nameservers: readonly Nameserver[];
  #writing: ReturnType<typeof setTimeout> | null = null;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#nameservers = options.nameservers ?? [];
    const { pins, registry, clock } = options;
    const random = new Uint16Array(1);
    this.#relay = new DnsRelay({
      pins,
      observer: new DnsMetrics(registry, pins),
      nameservers: () => this.#nameservers,
      onLearnt: () => this.#writing ??= setTimeout(() => this.save(), GATHER_MS),
      clock,
      randomId: () => crypto.getRandomValues(random)[0] as number, // it has one
    });
  }

  get isOpen(): boolean {
    return this.#relay.isOpen;
  }

  /** Takes over what the process before knew, and listens. @param isSuccessor of one that lives @throws when the address cannot be bound */
  async open(isSuccessor: boolean): Promise<void> {
    const { host, port } = this.#options.listen;
    this.#load();
    this.#readNameservers();
    this.#warnOfLoopback();
    const bound = await this.#relay.open(host, port, isSuccessor);
    if (host === "127.0.0.1") await this.#openIPv6(bound, isSuccessor);
    // The process before answers what it was asked before, and saves that.
    if (isSuccessor) setTimeout(() => this.#load(), STOP_MS * 1.5).unref();
  }

  /** A host without IPv6 is none of anybody's concern; a port that is taken is. */
  async #openIPv6(port: number, isSuccessor: boolean): Promise<void> {
    try {
      await this.#relay.open("::1", port, isSuccessor);
    } catch (error) {
      const { code } = error as { code?: unknown }; // the runtime throws errors
      if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") return;
      this.#options.log.warn("questions to IPv6 nameservers get no answer", {
        address: `[::1]:${port}`,
        error: errorText(error),
      });
    }
  }

  /** Another process listens. */
  stop(): void {
    this.save();
    this.#relay.stop(() => this.save());
  }

  close(): void {
    this.#relay.close();
    this.save();
  }

  /** Call every half minute. */
  sweep(): void {
    this.#options.pins.sweep(this.#options.clock());
    this.#readNameservers();
  }

  /** Writes what is remembered. */
  save(): void {
    const { stateDir, pins, log, clock, wallClock } = this.#options;
    if (this.#writing !== null) clearTimeout(this.#writing);
    this.#writing = null;
    if (stateDir === null) return;
    const now = clock();
    const left = (ends: readonly (readonly [string, number])[]) =>
      ends.map(([text, untilMs]) => [text, Math.round(untilMs - now)] as const);
    const saved: Saved = {
      savedAtMs: wallClock(),
      pins: pins.save().map(([name, addresses, aliases]) => [name, left(addresses), left(aliases)] as const),
    };
    try {
      makeFolder(stateDir);
      replaceFile(`${stateDir}/${FILE}`, JSON.stringify(saved));
    } catch (error) {
      log.warn("pinned names cannot be kept for a restart", { error: errorText(error) });
    }
  }

  #load(): void {
    const { stateDir, pins, log, clock, wallClock } = this.#options;
    if (stateDir === null) return;
    try {
      const saved = JSON.parse(readText(`${stateDir}/${FILE}`, MAX_FILE_BYTES)) as Saved; // the proxy's own file
      const begin = clock() - Math.max(0, wallClock() - saved.savedAtMs);
      const ends = (left: readonly (readonly [string, number])[]) =>
        left.map(([text, ms]) => [text, begin + ms] as const);
      pins.load(saved.pins.map(([name, addresses, aliases]) => [name, ends(addresses), ends(aliases)]), clock());
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") { // FileError has one
        log.warn("pinned names of the process before cannot be read", { error: errorText(error) });
      }
    }
  }

  /** A file that cannot be read, or names nobody, changes nothing. */
  #readNameservers(): void {
    if (this.#options.nameservers !== null) return;
    try {
      const found = parseNameservers(readText(RESOLV_CONF, MAX_RESOLV_CONF));
      if (found.length > 0) this.#nameservers = found;
    } catch (error) {
      if (this.#nameservers.length === 0) {
        this.#options.log.error("no nameserver is known", { file: RESOLV_CONF, error: errorText(error) });
      }
    }
  }

  #warnOfLoopback(): void {
    if (this.#options.nameservers !== null) return;
    for (const { host } of this.#nameservers) {
      if (!host.startsWith("127.") && host !== "::1") continue;
      this.#options.log.warn("questions to a nameserver on loopback are not captured: no name is pinned by them", {
        nameserver: host,
      });
    }
  }
}
