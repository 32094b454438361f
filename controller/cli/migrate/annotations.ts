/** Annotations and labels of Linkerd and Istio on namespaces, workloads and Services → ours. */
import { ANNOTATION_KEYS } from "../../core/annotations.ts";
import { templateOf } from "../../inject/workload.ts";
import { formatDuration } from "../../../src/base/duration.ts";
import { asMapping, type Effect, FOREIGN_GROUP, type Migration, type Source, textMap } from "./migration.ts";
import { goDuration } from "./durations.ts";
import type { Json } from "./view.ts";

/** What becomes of an annotation: a key and value of ours, nothing, or a reason why not; `note` is told in any case. */
interface Translated {
  readonly key?: string;
  readonly value?: string;
  readonly effect?: Effect;
  readonly reason?: string;
  /** Stays as it is, too: a selector may ask for it. */
  readonly isKept?: boolean;
}

const DROP: Translated = {};

/** Groups whose routes carry traffic annotations; their translators take them along. */
const ROUTE_KINDS = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]);
/** Translates the annotations of all objects that are not of the other mesh itself. */
export function translateAnnotations(migration: Migration): void {
  for (const source of migration.sources) {
    // Kinds of the other meshes are translated as a whole.
    if (FOREIGN_GROUP.test(source.group) || ROUTE_KINDS.has(source.kind)) continue;
    translateObject(migration, source);
  }
}

function translateObject(migration: Migration, source: Source): void {
  const template = templateOf(source.value);
  const own = asMapping(source.value["metadata"]);
  const where = [{ path: ["metadata"], metadata: own }];
  if (template !== null && template.root !== "") {
    const path = [...template.root.split("/").slice(1), "metadata"];
    where.push({ path, metadata: asMapping(asMapping(template.pod)["metadata"]) });
  }
  for (const { path, metadata } of where) {
    for (const section of ["annotations", "labels"] as const) {
      for (const [key, value] of Object.entries(textMap(metadata[section]))) {
        const found = section === "annotations" ? annotation(key, value) : label(key, value);
        if (found === null) continue;
        const field = `${path.join(".")}.${section}[${JSON.stringify(key)}]`;
        if (found.effect !== undefined) migration.say(found.effect, source, field, found.reason ?? "");
        if (found.isKept !== true) change(migration.changed(source), path, section, key, found);
      }
    }
  }
}

function change(object: Json, path: readonly string[], section: string, key: string, found: Translated): void {
  let metadata = object;
  for (const part of path) metadata = metadata[part] as Json; // the path leads to what was just read
  const entries = metadata[section] as Json;
  delete entries[key];
  if (Object.keys(entries).length === 0) delete metadata[section];
  if (found.key === undefined || found.value === undefined) return;
  metadata["annotations"] = { [found.key]: found.value, ...asMapping(metadata["annotations"]) };
}

/** @returns null for annotations of nobody's business */
export function annotation(key: string, value: string): Translated | null {
  const [prefix = "", name = ""] = key.split("/");
  if (prefix === "linkerd.io") return linkerdOwn(name, value);
  if (/^config(\.alpha|\.beta)?\.linkerd\.io$/.test(prefix)) return linkerdConfig(name, value);
  if (/^(retry|timeout|balancer)(\.alpha)?\.linkerd\.io$/.test(prefix)) return linkerdTraffic(prefix, name, value);
  if (/(^|\.)linkerd\.io$/.test(prefix)) return lost(`${key} has no counterpart`);
  if (/(^|\.)istio\.io$/.test(prefix)) return istio(prefix, name, value);
  return null;
}

function lost(reason: string): Translated {
  return { effect: "lost", reason };
}

function known(key: string, value: string, reason: string): Translated {
  return ANNOTATION_KEYS.includes(key) ? { key, value } : lost(reason);
}

function linkerdOwn(name: string, value: string): Translated {
  if (name !== "inject") return DROP; // provenance, written by the injector
  if (value === "enabled" || value === "disabled") return { key: "tulle.dev/inject", value };
  if (value === "ingress") {
    const reason =
      "ingress mode: requests go where the connection was meant to go, not by their Host; send them to the Service";
    return { key: "tulle.dev/inject", value: "enabled", effect: "lost", reason };
  }
  return lost(`found ${JSON.stringify(value)}, want enabled or disabled`);
}

/** What our sidecar always does, or has no need of. */
const ALWAYS: ReadonlyMap<string, string> = new Map([
  ["proxy-await", "a program starts after its sidecar is ready, always"],
  ["proxy-enable-native-sidecar", "the sidecar is a native one, always"],
  ["proxy-wait-before-exit-seconds", "a native sidecar ends after the programs, always"],
  ["pod-inbound-ports", "policy is by port number; nothing has to be told beforehand"],
]);

const SAME = /^(skip-inbound-ports|skip-outbound-ports|skip-subnets|opaque-ports|default-inbound-policy)$/;
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["image-pull-policy", "proxy-image-pull-policy"],
  ["shutdown-grace-period", "proxy-drain-grace"],
]);
const LEVELS = ["debug", "info", "warn", "error"];

function linkerdConfig(name: string, value: string): Translated {
  const always = ALWAYS.get(name);
  if (always !== undefined) return { effect: "note", reason: always };
  if (SAME.test(name)) return { key: `tulle.dev/${name}`, value };
  if (/^proxy-(cpu|memory)-(request|limit)$/.test(name)) return { key: `tulle.dev/${name}`, value };
  const renamed = RENAMED.get(name);
  if (renamed !== undefined) return { key: `tulle.dev/${renamed}`, value: normalDuration(value) };
  if (name === "access-log") {
    if (value === "json") return { key: "tulle.dev/access-log", value };
    return {
      key: "tulle.dev/access-log",
      value: "json",
      effect: "lost",
      reason: `the form ${value} is not written: json`,
    };
  }
  if (name === "proxy-log-level") {
    const first = value.split(",")[0]?.trim() ?? "";
    const level = first === "trace" ? "debug" : first === "off" ? "error" : first;
    if (!LEVELS.includes(level)) return lost(`found ${JSON.stringify(value)}, want one of ${LEVELS.join(", ")}`);
    return {
      key: "tulle.dev/proxy-log-level",
      value: level,
      ...(first === value && first === level ? {} : note("one level for all of the sidecar")),
    };
  }
  if (name === "proxy-require-identity-inbound-ports") {
    return {
      effect: "wider",
      reason:
        `ports ${value} took callers with a mesh identity only: make a Server for each with accessPolicy all-authenticated`,
    };
  }
  if (name === "proxy-image" || name === "proxy-version") {
    return { effect: "note", reason: "it names another mesh's program" };
  }
  return known(`tulle.dev/${name}`, value, "the sidecar has no such setting");
}

function note(reason: string): Translated {
  return { effect: "note", reason };
}

function linkerdTraffic(prefix: string, name: string, value: string): Translated {
  const key = `${prefix.replace(/(\.alpha)?\.linkerd\.io$/, "")}.tulle.dev/${name}`;
  if (key === "balancer.tulle.dev/failure-accrual" && value !== "consecutive") {
    const reason = `found ${JSON.stringify(value)}; consecutive failures are counted instead`;
    return { key, value: "consecutive", effect: "lost", reason };
  }
  return known(key, /timeout|penalty|window/.test(key) ? normalDuration(value) : value, "has no counterpart");
}

/** A duration in our form; other texts as they are. */
function normalDuration(value: string): string {
  const ms = goDuration(value);
  return ms === null ? value : formatDuration(ms);
}

const SIDECAR: ReadonlyMap<string, string> = new Map([
  ["proxyCPU", "tulle.dev/proxy-cpu-request"],
  ["proxyCPULimit", "tulle.dev/proxy-cpu-limit"],
  ["proxyMemory", "tulle.dev/proxy-memory-request"],
  ["proxyMemoryLimit", "tulle.dev/proxy-memory-limit"],
]);
const TRAFFIC: ReadonlyMap<string, string> = new Map([
  ["excludeInboundPorts", "tulle.dev/skip-inbound-ports"],
  ["excludeOutboundPorts", "tulle.dev/skip-outbound-ports"],
  ["excludeOutboundIPRanges", "tulle.dev/skip-subnets"],
]);

function istio(prefix: string, name: string, value: string): Translated {
  if (prefix === "sidecar.istio.io") {
    const key = SIDECAR.get(name);
    if (key !== undefined) return { key, value };
    if (name === "inject") return injection(value);
    if (name === "proxyImage" || name === "status" || name === "revision") {
      return note("it names another mesh's program");
    }
    if (name === "logLevel") {
      const level = value === "warning" ? "warn" : value === "trace" ? "debug" : value;
      return LEVELS.includes(level)
        ? { key: "tulle.dev/proxy-log-level", value: level }
        : lost(`found ${JSON.stringify(value)}`);
    }
    return lost("the sidecar has no such setting");
  }
  if (prefix === "traffic.sidecar.istio.io") {
    const key = TRAFFIC.get(name);
    if (key !== undefined) return value === "" ? DROP : { key, value };
    if (/^include(Inbound|Outbound)(Ports|IPRanges)$/.test(name)) {
      if (value === "*") return DROP;
      return lost("everything is captured that no skip annotation names: say what to leave out");
    }
  }
  if (prefix === "proxy.istio.io" && /holdApplicationUntilProxyStarts/.test(value)) {
    return {
      effect: "lost",
      reason:
        "a program starts after its sidecar is ready, always; the rest of the proxy's configuration has no counterpart",
    };
  }
  return lost("has no counterpart");
}

function injection(value: string): Translated {
  if (value === "true" || value === "enabled") return { key: "tulle.dev/inject", value: "enabled" };
  if (value === "false" || value === "disabled") return { key: "tulle.dev/inject", value: "disabled" };
  return lost(`found ${JSON.stringify(value)}, want true or false`);
}

function label(key: string, value: string): Translated | null {
  if (key === "istio-injection" || key === "sidecar.istio.io/inject") return injection(value);
  if (key === "istio.io/rev") {
    return {
      key: "tulle.dev/inject",
      value: "enabled",
      ...note("revisions have no counterpart: one version at a time"),
    };
  }
  if (key === "istio.io/dataplane-mode") {
    return value === "ambient"
      ? { key: "tulle.dev/inject", value: "enabled", ...note("each pod gets a sidecar: restart the workloads") }
      : { key: "tulle.dev/inject", value: "disabled" };
  }
  if (key === "istio.io/use-waypoint" || key === "istio.io/use-waypoint-namespace") {
    return note("the sidecars decide themselves; there is no waypoint");
  }
  if (key === "config.linkerd.io/admission-webhooks" || key === "linkerd.io/control-plane-ns") return DROP;
  if (key === "mirror.linkerd.io/exported" || key === "mirror.linkerd.io/federated") {
    return lost("clusters are not linked");
  }
  if (/(^|\.)(linkerd|istio)\.io$/.test(key.split("/")[0] ?? "")) {
    return { ...note("it means nothing to this mesh, and stays because selectors may ask for it"), isKept: true };
  }
  return null;
}
