import { expect, test } from "bun:test";
import fc from "fast-check";
import { turn } from "../../../tests/support/fake_socket.ts";
import {
  data,
  END_STREAM,
  goaway,
  headers,
  PREFACE,
  request,
  rst,
  settings,
  windowUpdate,
} from "../../../tests/support/h2_peer.ts";
import { Http2Connection } from "../../http/http2_connection.ts";
import { waitingBudget } from "../../http/waiting_budget.ts";
import { clientOf, TestEndpoint, TestPipeline } from "./exchange_fixture.ts";

const REQUESTS = [
  "GET /a HTTP/1.1\r\nhost: web\r\n\r\n",
  "POST /b HTTP/1.1\r\nhost: web\r\ncontent-length: 9\r\n\r\nhello",
  "POST /c HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
  "GET /d HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly",
  "CONNECT db:1 HTTP/1.1\r\nhost: db:1\r\n\r\n",
  "nonsense\r\n\r\n",
];
const RESPONSES = [
  "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
  "0\r\n\r\n",
  "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhi",
  "HTTP/1.1 103 Hints\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\nuntil close",
  "nonsense\r\n\r\n",
];
const step = fc.record({
  kind: fc.constantFrom(
    "client",
    "server",
    "clientEnds",
    "serverEnds",
    "clientResets",
    "serverResets",
    "accept",
    "refuse",
    "timer",
    "turn",
    "small",
    "room",
    "goaway",
  ),
  a: fc.nat(8),
  b: fc.nat(3),
});

/** A peer of HTTP/2 says something, legal or not. */
function frameFor(a: number, id: number, isServer: boolean): Uint8Array {
  switch (a) {
    case 0:
      return isServer ? headers(id, { ":status": "200" }, END_STREAM) : request(id);
    case 1:
      return isServer ? headers(id, { ":status": "200" }) : request(id, { ":method": "POST" }, 0);
    case 2:
      return data(id, 3000);
    case 3:
      return data(id, 5, END_STREAM);
    case 4:
      return rst(id, 8);
    case 5:
      return rst(id, 7);
    case 6:
      return windowUpdate(id, 100);
    case 7:
      return isServer
        ? headers(id, { ":status": "503" }, END_STREAM)
        : headers(id, { ":method": "CONNECT", ":authority": "db:1" });
    default:
      return headers(id, { "x-sum": "1" }, END_STREAM);
  }
}

for (const [downHttp2, upHttp2] of [[false, false], [true, true], [true, false], [false, true]] as const) {
  const name = `HTTP/${downHttp2 ? 2 : 1} → HTTP/${upHttp2 ? 2 : 1}`;
  test(`nothing is left behind, whatever the order of events: ${name} (property)`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), fc.boolean(), async (steps, atOnce) => {
        const before = waitingBudget.total;
        const endpoint = new TestEndpoint(upHttp2, atOnce);
        const pipeline = new TestPipeline([endpoint]);
        pipeline.rule = {
          retry: { limit: 2, statusCodes: new Set([503]), grpcStatuses: 0, connectionError: true, backoffMs: 0 },
        };
        const clients = [0, 1].map(() => clientOf(pipeline, downHttp2));
        if (downHttp2) { for (const c of clients) c.peer.send(PREFACE, settings({ 4: 2000 })); }
        for (const { kind, a, b } of steps) {
          const client = clients[b % 2] as typeof clients[0]; // two
          const server = endpoint.dialled[b % Math.max(1, endpoint.dialled.length)];
          const id = 2 * (a % 3) + 1;
          if (kind === "client") {
            client.socket.deliver(downHttp2 ? frameFor(a, 2 * b + 1, false) : REQUESTS[a % 6] ?? "x");
          } else if (kind === "server") server?.socket.deliver(upHttp2 ? frameFor(a, id, true) : RESPONSES[a] ?? "x");
          else if (kind === "clientEnds") client.socket.fin();
          else if (kind === "serverEnds") server?.socket.fin();
          else if (kind === "clientResets") client.socket.reset();
          else if (kind === "serverResets") server?.socket.reset();
          else if (kind === "accept") endpoint.accept();
          else if (kind === "refuse") endpoint.refuse();
          else if (kind === "timer") pipeline.exchanges[a]?.onTimer(b % 2);
          else if (kind === "turn") await turn();
          else if (kind === "small") (b < 2 ? client.socket : server?.socket ?? client.socket).room = 10;
          else if (kind === "room") (b < 2 ? client.socket : server?.socket ?? client.socket).drain(1000);
          else if (upHttp2) server?.peer.send(goaway(id, 0));
        }
        await turn();
        for (const client of clients) client.socket.reset();
        await turn();
        for (const exchange of pipeline.exchanges) expect(exchange.finished).toBe(true);
        expect(pipeline.finishedCount).toBe(pipeline.exchanges.length);
        expect(endpoint.pending).toBe(0);
        expect(clients.map((c) => c.owner.closed)).toEqual([1, 1]);
        for (const { connection } of clients) {
          if (connection instanceof Http2Connection) expect(connection.streams.size).toBe(0);
        }
        while (endpoint.dialling > 0) endpoint.refuse();
        for (const dialled of endpoint.dialled) dialled.socket.reset();
        await turn();
        expect(endpoint.http1.size).toBe(0);
        expect(endpoint.http2.size).toBe(0);
        expect(waitingBudget.total).toBe(before);
      }),
      { numRuns: 250, interruptAfterTimeLimit: 2500 },
    );
  });
}
