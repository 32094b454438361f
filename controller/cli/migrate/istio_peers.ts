/** PeerAuthentication (security.istio.io): which workloads and ports ask for mutual TLS. */
import { meets, type Migration, type Source } from "./migration.ts";
import { View } from "./view.ts";

export type Mode = "STRICT" | "PERMISSIVE";

/** A PeerAuthentication as far as we follow it. */
export interface Peer {
  readonly source: Source;
  /** Empty: the whole namespace, or mesh. */
  readonly selector: Readonly<Record<string, string>>;
  /** null: as what is around it says. */
  readonly mode: Mode | null;
  /** Of a selector alone: without one they have no effect. */
  readonly ports: ReadonlyMap<number, Mode | null>;
}

/** @returns nothing for one that had no effect; it is listed */
export function readPeer(migration: Migration, source: Source): Peer[] {
  const spec = View.spec(migration, source);
  const selectorView = spec.view("selector");
  const selector = selectorView?.map("matchLabels") ?? {};
  const isWide = Object.keys(selector).length === 0;
  if (selectorView?.done("wider", "is not known: more workloads are meant") === true) return [];
  if (!isWide && source.namespace === migration.options.rootNamespace) {
    const namespace = migration.options.rootNamespace;
    spec.say("note", "", `with a selector it had no effect in ${namespace}: it is left out`);
    return [];
  }
  const mode = readMode(spec.view("mtls"));
  const ports = new Map<number, Mode | null>();
  const levels = spec.view("portLevelMtls");
  for (const key of levels?.keys() ?? []) {
    const found = readMode(levels?.view(key) ?? null);
    if (/^\d+$/.test(key)) ports.set(Number(key), found);
    else levels?.say("lost", key, "is no port: it is left out");
  }
  if (ports.size > 0 && isWide) {
    spec.say("note", "portLevelMtls", "without a selector it had no effect: it is left out");
  }
  spec.done("lost");
  return [{ source, selector, mode, ports: isWide ? new Map() : ports }];
}

function readMode(view: View | null): Mode | null {
  const mode = view?.text("mode") ?? null;
  view?.done("lost");
  if (mode === "DISABLE") {
    view?.say("note", "mode", "between sidecars it is always mutual TLS; others may come in plaintext, as before");
  }
  if (mode === "DISABLE" || mode === "PERMISSIVE") return "PERMISSIVE";
  if (mode === null || mode === "UNSET" || mode === "STRICT") return mode === "STRICT" ? "STRICT" : null;
  view?.say("stricter", "mode", `found ${JSON.stringify(mode)}: it is taken for STRICT`);
  return "STRICT";
}

const isWide = ({ selector }: Peer) => Object.keys(selector).length === 0;

/** The nearest word: of a selector, of the namespace, of the mesh; PERMISSIVE where nobody says anything. */
export function modeFor(peers: readonly Peer[], labels: Readonly<Record<string, string>>, namespace: string): Mode {
  const outside = peers.filter((peer) => isWide(peer) && peer.source.namespace !== namespace);
  const inside = peers.filter((peer) => isWide(peer) && peer.source.namespace === namespace);
  const modes = (list: readonly Peer[]) => list.map(({ mode }) => mode);
  const around = strictest(modes(inside), strictest(modes(outside), "PERMISSIVE"));
  return strictest(modes(selected(peers, labels)), around);
}

/** Ports whose mode somebody says. @param wideMode of the namespace */
export function portModesFor(
  peers: readonly Peer[],
  labels: Readonly<Record<string, string>>,
  wideMode: Mode,
): Map<number, Mode> {
  const own = selected(peers, labels);
  const numbers = new Set(own.flatMap(({ ports }) => [...ports.keys()]));
  return new Map([...numbers].map((port) => [
    port,
    strictest(own.map(({ mode, ports }) => ports.get(port) ?? mode), wideMode),
  ]));
}

function selected(peers: readonly Peer[], labels: Readonly<Record<string, string>>): Peer[] {
  return peers.filter((peer) => !isWide(peer) && meets(labels, peer.selector));
}

/** Of several for the same, Istio takes the oldest, which manifests do not tell: the strictest of them holds. */
function strictest(modes: readonly (Mode | null)[], around: Mode): Mode {
  if (modes.length === 0) return around;
  return modes.some((mode) => (mode ?? around) === "STRICT") ? "STRICT" : "PERMISSIVE";
}
