/** Requests for tunnels (CONNECT in its forms, upgrades): which answers open one, what the client is told, and how it ends. */
import { Http1Client } from "../../http/http1_client.ts";
import { Http1Server } from "../../http/http1_server.ts";
import type { Leg } from "../../http/leg.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { CANCEL, CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR } from "../../wire/http2/error_code.ts";
import type { Exchange } from "./exchange.ts";
import { connectAnswer } from "./extended_connect.ts";
import { isIgnoredUpgrade, withSwitched } from "./header_edits.ts";
import { withStatus } from "./respond.ts";

/** Whether the final head from `leg` opens the tunnel that the request asks for. */
export function opensTunnel(exchange: Exchange, leg: Leg, head: HeaderBlock): boolean {
  if (!exchange.wantsTunnel) return false;
  if (leg instanceof Http1Client && exchange.http1.upgrade !== "") return head.status === 101;
  return head.status >= 200 && head.status < 300 && !(exchange.upgrade !== "" && isIgnoredUpgrade(head));
}

/** The head that tells the client that its tunnel is open: 101 to an upgrade, 200 to CONNECT. */
export function tunnelHead(exchange: Exchange, head: HeaderBlock): HeaderBlock {
  const isUpgrade = exchange.down instanceof Http1Server && exchange.request.method !== "CONNECT";
  const status = isUpgrade ? 101 : 200;
  if (head.status === status) return head;
  if (exchange.extended !== null) return connectAnswer(head);
  const out = withStatus(head, status);
  const { protocol } = head;
  return isUpgrade || protocol === "" || protocol === exchange.request.protocol ? out : withSwitched(out, protocol);
}

/** The code by which the client learns that the upstream gave up in the middle of its answer. */
export function abortCode(exchange: Exchange, h2Code: number): number {
  if (h2Code === NO_ERROR) return INTERNAL_ERROR; // it would look like an end in order
  // The client broke no rule. Those that are told so give up their connection, and with it the requests of others.
  if (h2Code === PROTOCOL_ERROR) return INTERNAL_ERROR;
  // RFC 9113 §8.5 has CONNECT_ERROR for CONNECT alone; in its extended form a reset is CANCEL (RFC 8441 §5).
  return h2Code === CONNECT_ERROR && exchange.request.protocol !== "" ? CANCEL : h2Code;
}
