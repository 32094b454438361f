import { expect, test } from "bun:test";
import type { InboundPolicy, InboundRoute } from "../../model/inbound.ts";
import { NO_RESOURCE } from "../../model/resource.ts";
import { type HeaderBlock, headerBlock } from "../../wire/header_block.ts";
import { Applications } from "./applications.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { ClientMark, upgradeRequest } from "../exchange/header_edits.ts";
import { InboundClient } from "./inbound_client.ts";
import { InboundHttp } from "./inbound_http.ts";
import { compileInbound } from "../policy/authorize.ts";
import { compileRoutes } from "../route/compile.ts";

const CALLER = "spiffe://cluster.local/ns/shop/sa/caller";
const observer = { onVerdict() {}, onRequest() {}, onFinished() {}, onRateLimited() {}, onRevoked() {} };

/** A port on which a route with these matches is admitted to everybody, and nothing else is. */
function policyFor(route: Partial<InboundRoute>): InboundPolicy {
  const allow = {
    policy: NO_RESOURCE,
    action: "allow",
    mode: "enforce",
    authentications: [],
  } as const;
  const inboundRoute: InboundRoute = {
    ref: NO_RESOURCE,
    hostnames: [],
    matches: [],
    authorizations: [allow],
    ...route,
  };
  const port = {
    port: 80,
    protocol: "http1",
    server: NO_RESOURCE,
    authorizations: [],
    routes: [inboundRoute],
    defaultPolicy: "deny",
    probePaths: [],
    rateLimit: null,
  } as const;
  return {
    version: "1",
    workload: "shop/web",
    identity: "",
    ports: new Map([[80, port]]),
    defaultPolicy: "deny",
    clusterNetworks: [],
    probeNetworks: [],
    zone: "",
  };
}

/** What becomes of a request: the method the application gets, or the code of the refusal. */
function route(policy: InboundPolicy, request: HeaderBlock): string {
  const holder = { current: compileInbound(policy, compileRoutes) };
  const application = new Applications(() => 0).get("10.0.0.1", 80);
  const client = new InboundClient(
    holder,
    80,
    { ip: "10.0.0.9", identity: CALLER },
    true,
    new ClientMark(CALLER),
    application,
  );
  let outcome = "";
  const exchange = {
    request,
    context: { route: client, clock: () => 0, random: () => 0 },
    verdict: null,
    upgrade: "",
    dispatch: (_: unknown, head: HeaderBlock) => void (outcome = head.method),
    fail: (error: { code: string }) => void (outcome = error.code),
  };
  new InboundHttp(observer).route(exchange as unknown as Exchange); // the part that routing uses
  return outcome;
}

const GET = { method: "GET", scheme: "http", authority: "web", path: "/ws", protocol: "", status: 0 };
const upgrade = upgradeRequest(headerBlock(GET, ["sec-websocket-version", "13"]), "websocket");

test("route() decides about extended CONNECT of an HTTP/2 client as about the upgrade that it is", () => {
  const match = (method: string) => ({ path: null, headers: [], query: [], method });
  const connect = headerBlock({ ...GET, method: "CONNECT", protocol: "websocket" }, []);
  expect(route(policyFor({ matches: [match("GET")] }), connect)).toBe("GET"); // the port is declared HTTP/1.1
  expect(route(policyFor({ matches: [match("CONNECT")] }), connect)).toBe("forbidden");
});

test("route() decides about an upgrade by the request the application gets, not by the CONNECT that carried it", () => {
  const match = (method: string) => ({ path: null, headers: [], query: [], method });
  expect(upgrade.method).toBe("CONNECT");
  expect(route(policyFor({ matches: [match("GET")] }), upgrade)).toBe("GET");
  expect(route(policyFor({ matches: [match("CONNECT")] }), upgrade)).toBe("forbidden");
});

test("interimHead() takes away what an application says in the mesh's name (it passed before)", () => {
  const start = { ...GET, method: "", scheme: "", authority: "", path: "", status: 103 };
  const head = headerBlock(start, ["tulle-error", "forged", "link", "</a>"]);
  const out = new InboundHttp(observer).interimHead({} as Exchange, head); // it asks nothing of the exchange
  expect(out.fields).toEqual(["link", "</a>"]);
});
