/**
 * Annotations of a pod and its namespace → settings of the sidecar. A value that cannot be read is reported and counts as
 * absent: a typing error must not keep a pod from starting, and the sidecar's defaults are the safe side.
 */
import { parseDuration } from "../../src/base/duration.ts";
import { LOG_LEVELS, type LogLevel } from "../../src/base/log.ts";
import { suggest } from "../../src/base/suggest.ts";
import { ANNOTATION_KEYS, ANNOTATIONS, isMeshKey } from "../core/annotations.ts";
import { canonicalCidr } from "../core/ip.ts";

/** Settings of one sidecar. */
export interface SidecarSettings {
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Quantities as Kubernetes writes them; null: none. */
  readonly cpuRequest: string | null;
  readonly cpuLimit: string | null;
  readonly memoryRequest: string | null;
  readonly memoryLimit: string | null;
  readonly logLevel: LogLevel;
  readonly accessLog: "off" | "json";
  readonly drainGrace: string;
  readonly workers: number;
  /** Networks, between commas; "" for none. */
  readonly adminAllow: string;
  /** Whether the pod's DNS passes the sidecar; see TULLE_EGRESS_DNS. */
  readonly egressDns: "off" | "pinned";
}

export type Annotations = Readonly<Record<string, string>>;

export interface ReadSettings {
  readonly settings: SidecarSettings;
  /** Lines for the user: values that could not be read, keys that nobody knows. */
  readonly warnings: readonly string[];
}

/** Longest drain, milliseconds; the proxy's own limit. */
const MAX_DRAIN_MS = 600_000;
/** Most threads of one sidecar. */
const MAX_WORKERS = 64;

/**
 * @param pod annotations of the pod (or of its template)
 * @param namespace annotations of its namespace, which hold where the pod says nothing
 * @param defaults where neither says anything
 */
export function readSettings(pod: Annotations, namespace: Annotations, defaults: SidecarSettings): ReadSettings {
  const warnings = [...unknownKeys(pod, "the pod"), ...unknownKeys(namespace, "its namespace")];
  function read<T>(key: string, fallback: T, parse: (text: string) => T | null): T {
    for (const [where, annotations] of [["the pod", pod], ["its namespace", namespace]] as const) {
      const text = annotations[key];
      if (text === undefined) continue;
      const value = parse(text.trim());
      if (value !== null) return value;
      const form = ANNOTATIONS.find((annotation) => annotation.key === key)?.form ?? "another value";
      warnings.push(
        `annotation ${key} of ${where}: found ${JSON.stringify(text.slice(0, 48))}, want ${form} (ignored)`,
      );
    }
    return fallback;
  }
  const settings: SidecarSettings = {
    image: read("tulle.dev/proxy-image", defaults.image, (text) => /^[^\s"']{1,512}$/.test(text) ? text : null),
    imagePullPolicy: read(
      "tulle.dev/proxy-image-pull-policy",
      defaults.imagePullPolicy,
      (text) => oneOf(text, ["Always", "IfNotPresent", "Never"]),
    ),
    cpuRequest: read("tulle.dev/proxy-cpu-request", defaults.cpuRequest, quantity),
    cpuLimit: read("tulle.dev/proxy-cpu-limit", defaults.cpuLimit, quantity),
    memoryRequest: read("tulle.dev/proxy-memory-request", defaults.memoryRequest, quantity),
    memoryLimit: read("tulle.dev/proxy-memory-limit", defaults.memoryLimit, quantity),
    logLevel: read("tulle.dev/proxy-log-level", defaults.logLevel, (text) => oneOf(text, LOG_LEVELS)),
    accessLog: read("tulle.dev/access-log", defaults.accessLog, (text) => oneOf(text, ["off", "json"])),
    drainGrace: read("tulle.dev/proxy-drain-grace", defaults.drainGrace, (text) => {
      const ms = parseDuration(text);
      return ms !== null && ms <= MAX_DRAIN_MS ? text : null;
    }),
    workers: read("tulle.dev/proxy-workers", defaults.workers, (text) => {
      const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
      return count >= 1 && count <= MAX_WORKERS ? count : null;
    }),
    egressDns: read("tulle.dev/egress-dns", defaults.egressDns, (text) => oneOf(text, ["off", "pinned"])),
    adminAllow: read("tulle.dev/proxy-admin-allow", defaults.adminAllow, (text) => {
      const networks = text.split(",").map((part) => canonicalCidr(part.trim()));
      return networks.every((network) => network !== null) ? networks.join(",") : null;
    }),
  };
  return { settings, warnings };
}

/** Keys under tulle.dev that nobody knows. */
export function unknownKeys(annotations: Annotations, where: string): string[] {
  return Object.keys(annotations).filter((key) => isMeshKey(key) && !ANNOTATION_KEYS.includes(key)).map((key) => {
    const near = suggest(key, ANNOTATION_KEYS);
    return `annotation ${key} of ${where} is unknown${near === null ? "" : `: did you mean ${near}?`} (ignored)`;
  });
}

function oneOf<T extends string>(text: string, values: readonly T[]): T | null {
  return values.find((value) => value === text) ?? null;
}

/** A positive quantity; "none" takes a default away. */
function quantity(text: string): string | null {
  return /^\d{1,9}(\.\d{1,3})?(m|k|M|G|Ki|Mi|Gi)?$/.test(text) && Number.parseFloat(text) > 0 ? text : null;
}
