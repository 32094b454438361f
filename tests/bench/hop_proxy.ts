/**
 * The engine as a reverse proxy of its own, for the bench and for conformance suites: a plain or ordinary TLS listener in
 * front of the data path of an outbound proxy with one fixed target. The product itself terminates only mutual TLS.
 *
 *     bun tests/bench/hop_proxy.ts --listen 127.0.0.1:8443 --upstream 127.0.0.1:8080 [--cert FILE --key FILE]
 *
 * HTTP/1.1 and HTTP/2 clients reach the upstream in their own protocol.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Http1Server } from "../../src/http/http1_server.ts";
import { Http2Connection } from "../../src/http/http2_connection.ts";
import { COMMON_SHARE } from "../../src/http/waiting_budget.ts";
import { listen, type Listener } from "../../src/net/listener.ts";
import type { RawSocket, SocketOwner, TlsOptions } from "../../src/net/socket.ts";
import { Downstream, type DownstreamOwner } from "../../src/proxy/exchange/downstream.ts";
import { OutboundHttp } from "../../src/proxy/outbound/outbound_http.ts";
import { OutboundTargets, type TargetEntry } from "../../src/proxy/outbound/outbound_targets.ts";
import { Sniffer, type SnifferOwner } from "../../src/proxy/connection/sniffer.ts";
import { Upstreams } from "../../src/proxy/upstream/upstreams.ts";
import { HeadCache } from "../../src/wire/http1/head_cache.ts";
import type { RequestHead } from "../../src/wire/http1/request_head.ts";
import { MAX_OUTBOUND_REQUESTS, RequestBudget, RequestShare } from "../../src/proxy/exchange/request_share.ts";

const REQUESTS = new RequestBudget(MAX_OUTBOUND_REQUESTS);

const { values } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:0" },
    upstream: { type: "string", default: "127.0.0.1:8080" },
    cert: { type: "string" },
    key: { type: "string" },
  },
});
const clock = () => performance.now();
const credentials = {
  onCut() {},
  clientTls: () => null,
  verifyPeer: () => ({ ok: false, code: "none", reason: "no sidecars here" }) as const,
};
const upstreams = new Upstreams(credentials, new Set(), clock, Math.random);
const targets = new OutboundTargets(upstreams, clock);
const observer = {
  onVerdict() {},
  onRequest() {},
  onFinished() {},
  onRetry() {},
  onMirror() {},
  onEgress() {},
  onEgressRevoked() {},
  onFault() {},
};
const pipeline = new OutboundHttp(upstreams, observer, 0, clock);
const heads = new HeadCache<RequestHead>();
const [upstreamHost, upstreamPort] = address(values.upstream);
const unknown = { kind: "", group: "", namespace: "", name: "", section: "" };
const entry: TargetEntry = targets.put(
  {
    key: values.upstream,
    version: "",
    known: false,
    parent: unknown,
    authority: "",
    port: 0,
    protocol: "http1",
    routes: [],
    backends: [],
    streamRoutes: [],
    egress: null,
  },
  upstreamHost,
  upstreamPort,
);

class Client implements SnifferOwner, DownstreamOwner {
  http(socket: RawSocket, isHttp2: boolean, early: Uint8Array): void {
    const downstream = new Downstream(pipeline, this, "", null, entry, clock, Math.random, new RequestShare(REQUESTS));
    const connection = isHttp2
      ? new Http2Connection(socket, true, false, downstream)
      : new Http1Server(socket, downstream, heads);
    connection.onData(early as Buffer);
  }
  opaque(socket: RawSocket): void {
    socket.terminate();
  }
  ahead(): null {
    return null;
  }
  closed(): void {}
  badRequest(): void {}

  clientRefused(): void {}
  downstreamClosed(): void {}
  takeStream(): boolean {
    return false;
  }
}

const client = new Client();
const [host, port] = address(values.listen);
const tls: TlsOptions | null = values.cert === undefined || values.key === undefined ? null : {
  cert: readFileSync(values.cert, "utf8"),
  key: readFileSync(values.key, "utf8"),
  ca: readFileSync(values.cert, "utf8"), // clients are not asked for a certificate; it must parse all the same
  ALPNProtocols: Buffer.from("\x02h2\x08http/1.1", "latin1"),
  rejectUnauthorized: false,
  minVersion: 0x0304,
};
const listener: Listener = listen(
  { host, port },
  (socket): SocketOwner => new Sniffer(socket, client, "http1", false, COMMON_SHARE.idle),
  tls,
);
console.log(JSON.stringify({ port: listener.port }));

function address(text: string): [string, number] {
  const at = text.lastIndexOf(":");
  return [text.slice(0, at), Number(text.slice(at + 1))];
}
