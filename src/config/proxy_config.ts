/**
 * The environment of a proxy → ProxyConfig. Nothing else reads the environment.
 *
 * `tulle up` and the injector set these keys; a person sets them for a proxy on a machine of its own.
 */
import { suggest } from "../base/suggest.ts";
import type { LogLevel } from "../base/log.ts";
import type { IpBlock } from "../model/ip.ts";
import * as read from "./_values.ts";

export type { Forward, HostPort } from "./_values.ts";

/** What a proxy is told at its start; everything else comes from the controller. */
export interface ProxyConfig {
  readonly workloadNamespace: string;
  readonly workloadName: string;
  /** The workload's own addresses: what the mesh and inbound listeners may connect to. */
  readonly workloadAddresses: readonly string[];
  readonly controllerAddress: read.HostPort;
  readonly trustBundleFile: string;
  readonly tokenFile: string;
  readonly outboundAddress: read.HostPort;
  readonly meshAddress: read.HostPort;
  readonly inboundAddress: read.HostPort;
  readonly adminAddress: read.HostPort;
  /** "pinned": a rule by name admits to addresses alone that the workload's nameserver has given for the name. */
  readonly egressDns: "off" | "pinned";
  /** Takes the workload's questions to nameservers, where names are pinned. */
  readonly dnsAddress: read.HostPort;
  /** Null: those of /etc/resolv.conf. */
  readonly nameservers: readonly read.HostPort[] | null;
  /** Who may read /config and /tap beside loopback. */
  readonly adminAllow: readonly IpBlock[];
  /** Null: nothing is kept over a restart. */
  readonly stateDir: string | null;
  readonly accessLog: "off" | "json";
  readonly logLevel: LogLevel;
  /** Null: stay the user that started it. */
  readonly uid: number | null;
  /** Null: its own connections are known by its user. */
  readonly dialMark: number | null;
  /** "required": not ready before a connection of its own was seen to be redirected. */
  readonly capture: "off" | "required";
  readonly outboundForwards: readonly read.Forward[];
  /** Probes that the sidecar answers for the kubelet, by position. */
  readonly probes: readonly read.ProbeSpec[];
  readonly drainGraceMs: number;
  /** How long connections may take to end after an upgrade. */
  readonly upgradeGraceMs: number;
  /** An upgrade keeps the process id: "auto" where it is 1, since its end would end the container. */
  readonly keepPid: "auto" | "always" | "never";
  /** Threads that run the data path, the main one included. */
  readonly workers: number;
  /** How long requests wait for an endpoint when none can be reached. */
  readonly failFastAfterMs: number;
  /** How long connections between sidecars may outlive their certificates. */
  readonly expiredGraceMs: number;
}

/** One key of the environment. */
interface Key<T> {
  readonly key: string;
  readonly read: read.Reader<T>;
  /** Text that is read when the key is absent; null when it must be there, "" when absence is a value of its own. */
  readonly fallback: string | null;
  readonly help: string;
}

function key<T>(name: string, reader: read.Reader<T>, fallback: string | null, help: string): Key<T> {
  return { key: `TULLE_${name}`, read: reader, fallback, help };
}

/** Shortest to longest time for a drain: a minute more than any cluster gives a pod by default would be cut off anyway. */
const readGrace = read.durationReader(0, 600_000, "at most 10m");

/** Longer than a certificate lives by default would make its end mean nothing. */
const readExpiredGrace = read.durationReader(0, 86_400_000, "at most 24h");
/** What waits longer than a minute has no client any more. */
const readHold = read.durationReader(0, 60_000, "at most 1m");

/** Nothing forces the process before to end soon: a connection may live for as long as a day's work. */
const readUpgradeGrace = read.durationReader(0, 86_400_000, "at most 24h");

const KEYS = {
  workloadNamespace: key("WORKLOAD_NAMESPACE", read.readLabel, null, "Namespace of the workload beside which it runs."),
  workloadName: key("WORKLOAD_NAME", read.readName, null, "Name of the workload (the pod's name in a cluster)."),
  workloadAddresses: key("WORKLOAD_ADDRESSES", read.readAddresses, null, "The workload's own IP addresses."),
  controllerAddress: key("CONTROLLER_ADDRESS", read.readTarget, null, "Where the controller listens."),
  trustBundleFile: key("TRUST_BUNDLE_FILE", read.readPath, null, "PEM file with the roots that the mesh trusts."),
  tokenFile: key("TOKEN_FILE", read.readPath, null, "File with the token that proves which workload this is."),
  outboundAddress: key(
    "OUTBOUND_ADDRESS",
    read.readLoopbackAddress,
    "127.0.0.1:4140",
    "Takes what the workload sends.",
  ),
  meshAddress: key("MESH_ADDRESS", read.readListenAddress, "[::]:4143", "Takes mutual TLS from other sidecars."),
  inboundAddress: key(
    "INBOUND_ADDRESS",
    read.readListenAddress,
    "[::]:4145",
    "Takes what others send to the workload.",
  ),
  adminAddress: key(
    "ADMIN_ADDRESS",
    read.readListenAddress,
    "[::]:4191",
    "Serves /metrics, /ready, /live and the rest.",
  ),
  egressDns: key(
    "EGRESS_DNS",
    read.readEgressDns,
    "off",
    "pinned: an EgressNetwork's names admit to addresses alone that the workload's nameserver gave for them; one thread.",
  ),
  dnsAddress: key(
    "DNS_ADDRESS",
    read.readLoopbackAddress,
    "127.0.0.1:4153",
    "Takes the workload's DNS (UDP and TCP), where names are pinned.",
  ),
  nameservers: key("NAMESERVERS", read.readNameservers, "", "Nameservers to ask instead of those of /etc/resolv.conf."),
  adminAllow: key("ADMIN_ALLOW", read.readBlocks, "", "Networks that may read /config and /tap; loopback always may."),
  stateDir: key(
    "STATE_DIR",
    read.readPath,
    "",
    "Keeps the last good configuration here, so that a restart serves at once.",
  ),
  accessLog: key("ACCESS_LOG", read.readAccessLog, "off", "off, or json: a line for each request on stdout."),
  logLevel: key("LOG_LEVEL", read.readLogLevel, "info", "debug, info, warn or error."),
  uid: key("UID", read.readUid, "", "Becomes this user once it listens; capture exempts it. 2102 in a cluster."),
  capture: key(
    "CAPTURE",
    read.readCapture,
    "off",
    "required: ready only once capture was seen to work; off: do not look.",
  ),
  dialMark: key(
    "DIAL_MARK",
    read.readMark,
    "",
    "Marks its own connections (SO_MARK), where users cannot be told apart.",
  ),
  outboundForwards: key(
    "OUTBOUND_FORWARDS",
    read.readForwards,
    "",
    "Listeners with a fixed destination, for machines without capture: listen=target,…",
  ),
  workers: key(
    "WORKERS",
    read.readWorkers,
    "1",
    "Threads that carry traffic, 1–64: throughput grows with cores; the second costs 7 MB of memory, others 3.5.",
  ),
  failFastAfterMs: key(
    "FAIL_FAST_AFTER",
    readHold,
    "3s",
    "How long requests wait for an endpoint while none can be reached, and then fail at once; at most 1m.",
  ),
  probes: key(
    "PROBES",
    read.readProbes,
    "",
    "What GET /probe/0, /probe/1 … ask of the workload for a kubelet: tcp:8080,https:8443/healthz",
  ),
  expiredGraceMs: key(
    "EXPIRED_GRACE",
    readExpiredGrace,
    "1h",
    "How long opaque streams may outlive the certificates of their connection, at most 24h; requests move before.",
  ),
  upgradeGraceMs: key(
    "UPGRADE_GRACE",
    readUpgradeGrace,
    "10m",
    "Time that connections have to end after an upgrade, at most 24h: until then there are two processes.",
  ),
  keepPid: key(
    "KEEP_PID",
    read.readKeepPid,
    "auto",
    "An upgrade keeps the process id: always, never, or auto, when it is 1 (a container).",
  ),
  drainGraceMs: key("DRAIN_GRACE", readGrace, "30s", "Time that requests have to end after SIGTERM, at most 10m."),
} as const;

/** The configuration, with keys that look like slips; or all errors at once, so that one correction is enough. */
export type Parsed =
  | { readonly ok: true; readonly value: ProxyConfig; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[] };

/** Reads the configuration. @param env the environment; only keys that start with TULLE_ are looked at */
export function parseProxyConfig(env: Readonly<Record<string, string | undefined>>): Parsed {
  const errors: string[] = [];
  function take<T>(item: Key<T>): T {
    const text = env[item.key] ?? item.fallback;
    const result = text === null ? { want: "a value: it has no default" } : item.read(text);
    if ("value" in result) return result.value;
    errors.push(`${item.key}: found ${text === null ? "nothing" : JSON.stringify(text)}, want ${result.want}`);
    // Never seen: with an error there is no configuration.
    return undefined as T;
  }
  // An empty setting means "not set": that is how templates leave one out.
  const optional = <T>(item: Key<T>): T | null => (env[item.key] ?? "") === "" ? null : take(item);
  const value: ProxyConfig = {
    workloadNamespace: take(KEYS.workloadNamespace),
    workloadName: take(KEYS.workloadName),
    workloadAddresses: take(KEYS.workloadAddresses),
    controllerAddress: take(KEYS.controllerAddress),
    trustBundleFile: take(KEYS.trustBundleFile),
    tokenFile: take(KEYS.tokenFile),
    outboundAddress: take(KEYS.outboundAddress),
    meshAddress: take(KEYS.meshAddress),
    inboundAddress: take(KEYS.inboundAddress),
    adminAddress: take(KEYS.adminAddress),
    egressDns: take(KEYS.egressDns),
    dnsAddress: take(KEYS.dnsAddress),
    nameservers: optional(KEYS.nameservers),
    adminAllow: take(KEYS.adminAllow),
    stateDir: optional(KEYS.stateDir),
    accessLog: take(KEYS.accessLog),
    logLevel: take(KEYS.logLevel),
    uid: optional(KEYS.uid),
    dialMark: optional(KEYS.dialMark),
    capture: take(KEYS.capture),
    outboundForwards: take(KEYS.outboundForwards),
    probes: take(KEYS.probes),
    drainGraceMs: take(KEYS.drainGraceMs),
    workers: take(KEYS.workers),
    upgradeGraceMs: take(KEYS.upgradeGraceMs),
    keepPid: take(KEYS.keepPid),
    failFastAfterMs: take(KEYS.failFastAfterMs),
    expiredGraceMs: take(KEYS.expiredGraceMs),
  };
  if (errors.length === 0) errors.push(...clashes(value));
  if (errors.length > 0) return { ok: false, errors };
  const warnings = unknownKeys(env);
  if (value.egressDns === "off" || value.workers === 1) return { ok: true, value, warnings };
  // What one thread has heard of a name the others would hear of too late.
  warnings.push(`TULLE_WORKERS: found ${value.workers}, but one thread serves where TULLE_EGRESS_DNS is pinned`);
  return { ok: true, value: { ...value, workers: 1 }, warnings };
}

/** Table of the keys for `tulle proxy --help`. */
export function proxyConfigHelp(): string {
  return Object.values(KEYS).map((item) => {
    const fallback = item.fallback === null ? "required" : item.fallback === "" ? "unset" : `default ${item.fallback}`;
    return `  ${item.key} (${fallback})\n      ${item.help}`;
  }).join("\n");
}

/** Listeners that could not coexist. Port 0 asks the system for one and never clashes. */
function clashes(config: ProxyConfig): string[] {
  const errors: string[] = [];
  const taken = new Map<number, string>();
  const listeners = [
    ["TULLE_OUTBOUND_ADDRESS", config.outboundAddress],
    ["TULLE_MESH_ADDRESS", config.meshAddress],
    ["TULLE_INBOUND_ADDRESS", config.inboundAddress],
    ["TULLE_ADMIN_ADDRESS", config.adminAddress],
    ...(config.egressDns === "pinned" ? [["TULLE_DNS_ADDRESS", config.dnsAddress] as const] : []),
  ] as const;
  for (const [name, { port }] of listeners) {
    const other = taken.get(port);
    if (other !== undefined && port !== 0) {
      errors.push(`${name}: found port ${port}, want another than that of ${other}`);
    }
    taken.set(port, name);
  }
  if (config.workloadAddresses.length === 0) {
    errors.push("TULLE_WORKLOAD_ADDRESSES: found no address, want at least one");
  }
  return errors;
}

function unknownKeys(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.values(KEYS).map((item): string => item.key);
  const unknown = Object.keys(env).filter((name) => name.startsWith("TULLE_") && !known.includes(name));
  return unknown.flatMap((name) => {
    const nearest = suggest(name, known);
    return nearest === null ? [] : [`${name} is not a setting of the proxy: did you mean ${nearest}?`];
  });
}
