/** Copies of requests for other backends (Gateway API HTTPRequestMirrorFilter): sent and forgotten. */
import type { Leg, LegListener } from "../../http/leg.ts";
import type { RouteRule } from "../../model/outbound.ts";
import type { Mirror } from "../../model/route_plan.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { outboundRequest } from "../exchange/header_edits.ts";
import { MAX_MIRRORS, MirrorCopy, type MirrorResult, mirrorsUnderWay } from "./mirror_copy.ts";
import { ruleRequest } from "./route_filters.ts";
import type { OwnedLeg } from "../exchange/throttled_leg.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

const HTTP11 = { minorVersion: 1, upgrade: "" } as const;
const HTTP10 = { minorVersion: 0, upgrade: "" } as const;

/**
 * Sends the copies that a rule, and the backend that was chosen, ask for. Call once for a request, when it has been dispatched.
 * Tunnels are not copied: they are not requests.
 *
 * @param onOver told what became of each copy
 */
export function mirrorRequest(
  exchange: Exchange,
  rule: RouteRule,
  upstreams: Upstreams,
  onOver: (result: MirrorResult) => void,
): void {
  const ofRule = rule.plan === null ? NONE : rule.plan.mirrors;
  const ofShare = exchange.via === null || exchange.via.filters === null ? NONE : exchange.via.filters.mirrors;
  if (ofRule.length + ofShare.length === 0 || exchange.finished || exchange.wantsTunnel) return;
  const copies: MirrorCopy[] = [];
  for (const mirror of [...ofRule, ...ofShare]) {
    if (exchange.context.random() >= mirror.share) continue;
    const copy = startCopy(mirror, exchange, rule, upstreams, onOver);
    if (copy !== null) copies.push(copy);
  }
  if (copies.length === 0 || exchange.requestDone) return;
  const down = exchange.down as OwnedLeg; // only clients' requests get here, over either version of HTTP
  down.listener = new Tee(exchange, copies);
}

const NONE: readonly Mirror[] = [];

function startCopy(
  { backend }: Mirror,
  exchange: Exchange,
  rule: RouteRule,
  upstreams: Upstreams,
  onOver: (result: MirrorResult) => void,
): MirrorCopy | null {
  if (backend === null) return null; // the status of the route says so
  const endpoint = mirrorsUnderWay() >= MAX_MIRRORS ? null : upstreams.pick(backend, null);
  const { clock } = exchange.context;
  if (endpoint === null || !endpoint.reachability.admits(clock())) {
    onOver("dropped");
    return null;
  }
  const minor = exchange.clientMinorVersion;
  const head = outboundRequest(ruleRequest(exchange.request, rule), endpoint.meshed, minor);
  const http1 = minor === 0 ? HTTP10 : HTTP11;
  const copy = new MirrorCopy(endpoint, head, http1, exchange.requestDone, clock, onOver);
  copy.start(minor < 0);
  return copy;
}

/** Hands what a client sends to its exchange, and then to the copies. */
class Tee implements LegListener {
  readonly #exchange: Exchange;
  readonly #copies: readonly MirrorCopy[];

  constructor(exchange: Exchange, copies: readonly MirrorCopy[]) {
    this.#exchange = exchange;
    this.#copies = copies;
  }

  onData(leg: Leg, buffer: Uint8Array, start: number, end: number, fin: boolean): void {
    this.#exchange.onData(leg, buffer, start, end, fin);
    for (const copy of this.#copies) copy.data(buffer, start, end, fin);
  }

  onTrailers(leg: Leg, trailers: HeaderBlock): void {
    this.#exchange.onTrailers(leg, trailers);
    for (const copy of this.#copies) copy.trailers(trailers);
  }

  onAbort(leg: Leg, h2Code: number, unprocessed: boolean, detail: string): void {
    this.#exchange.onAbort(leg, h2Code, unprocessed, detail);
    for (const copy of this.#copies) copy.abandon();
  }

  onConsumed(leg: Leg, bytes: number): void {
    this.#exchange.onConsumed(leg, bytes);
  }

  onHead(leg: Leg, head: HeaderBlock, end: boolean): void {
    this.#exchange.onHead(leg, head, end);
  }

  onInterim(leg: Leg, head: HeaderBlock): void {
    this.#exchange.onInterim(leg, head);
  }
}
