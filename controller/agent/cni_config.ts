/**
 * The network configuration of a node (CNI specification 1.1, §1): text in, text out. The file stays its owner's; only our
 * plugin is added at the end of its chain, or taken out again.
 */
import { CNI_PLUGIN } from "../core/cluster_names.ts";

/** Our entry of a chain. */
export interface PluginEntry {
  /** Where the plugin asks which pods are meshed. */
  readonly socket: string;
}

type Json = Record<string, unknown>;

export type ChainResult =
  | { readonly kind: "unchanged" }
  | { readonly kind: "changed"; readonly text: string }
  /** It is no configuration that can be used; runtimes pass it over, too. */
  | { readonly kind: "unusable"; readonly detail: string };

/** Adds the plugin to a configuration list, or to a single plugin's configuration, which becomes a list. */
export function chain(text: string, { socket }: PluginEntry): ChainResult {
  const parsed = parse(text);
  if (typeof parsed === "string") return { kind: "unusable", detail: parsed };
  const list = asList(parsed);
  if (typeof list === "string") return { kind: "unusable", detail: list };
  const plugins = list["plugins"] as Json[]; // asList has checked it
  const entry = { type: CNI_PLUGIN, socket };
  const own = plugins.findIndex((plugin) => plugin["type"] === CNI_PLUGIN);
  const last = plugins[plugins.length - 1];
  if (own === plugins.length - 1 && last?.["socket"] === socket) return { kind: "unchanged" };
  const others = plugins.filter((plugin) => plugin["type"] !== CNI_PLUGIN);
  if (others.length === 0) return { kind: "unusable", detail: "it has no plugin that would make an interface" };
  return { kind: "changed", text: write({ ...list, plugins: [...others, entry] }) };
}

/** Takes the plugin out again. */
export function unchain(text: string): ChainResult {
  const parsed = parse(text);
  if (typeof parsed === "string") return { kind: "unusable", detail: parsed };
  const plugins = parsed["plugins"];
  if (!Array.isArray(plugins) || !plugins.some(isOurs)) return { kind: "unchanged" };
  return { kind: "changed", text: write({ ...parsed, plugins: plugins.filter((plugin) => !isOurs(plugin)) }) };
}

function isOurs(plugin: unknown): boolean {
  return isObject(plugin) && plugin["type"] === CNI_PLUGIN;
}

function parse(text: string): Json | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is not JSON"; // half written, as like as not
  }
  return isObject(value) ? value : "it is not an object";
}

/** A list as it is; a single plugin as the only one of a list with its name and version. */
function asList(value: Json): Json | string {
  const { plugins } = value;
  if (plugins === undefined) {
    if (typeof value["type"] !== "string") return "it has neither plugins nor a type";
    const { cniVersion, name, ...plugin } = value;
    return { cniVersion: cniVersion ?? "0.3.1", name: name ?? "default", plugins: [plugin] };
  }
  if (!Array.isArray(plugins) || !plugins.every(isObject)) return "its plugins are no list of objects";
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function write(value: Json): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
