/**
 * Authorization as a function of plain values: for explanations, replays and tests. The proxy asks the same view in two
 * steps, when a connection comes and for each request on it.
 *
 *     judge(compileInbound(policy, compileRoutes), facts).kind
 */
import { headerBlock } from "../../wire/header_block.ts";
import { authorizeConnection, authorizeRequest, type InboundView } from "./authorize.ts";
import type { Verdict } from "./verdict.ts";

/** What is known about a request, or about a connection of bytes that are not HTTP, at the workload it is for. */
export interface RequestFacts {
  /** Port of the workload. */
  readonly port: number;
  /** Address of the client, in text form. */
  readonly ip: string;
  /** Whether it came over mutual TLS. */
  readonly tls: boolean;
  /** SPIFFE ID; counts with `tls` only. Null or "" for none. */
  readonly identity: string | null;
  /** "http" in all its versions, gRPC included; "opaque" for everything else. Those below are read for "http" alone. */
  readonly protocol: "http" | "opaque";
  /** As the application gets it: GET for a WebSocket, also over HTTP/2. */
  readonly method: string;
  readonly authority: string;
  /** With its query. */
  readonly path: string;
  /** [name, value, …], names in lower case; those that no route looks at may be left out. */
  readonly fields: readonly string[];
}

/**
 * Decides about a request or an opaque connection.
 *
 * @param view compiled policy of the workload that it is for
 * @returns never with `needsRequest`: the decision is final
 */
export function judge(view: InboundView, facts: RequestFacts): Verdict {
  const client = { ip: facts.ip, identity: facts.tls ? facts.identity : null };
  const port = view.port(facts.port);
  if (facts.protocol === "opaque") {
    const verdict = authorizeConnection(view, facts.port, client);
    return verdict.kind === "permit" && verdict.needsRequest ? port.unclassified : verdict;
  }
  const { method, authority, path, fields } = facts;
  const start = { method, scheme: "http", authority, path, protocol: "", status: 0 };
  return authorizeRequest(port, client, headerBlock(start, fields));
}
