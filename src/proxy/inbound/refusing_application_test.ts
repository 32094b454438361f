import { expect, test } from "bun:test";
import { turn } from "../../../tests/support/fake_socket.ts";
import { goaway, PREFACE, request, rst, settings, settingsAck } from "../../../tests/support/h2_peer.ts";
import { clientOf, TestEndpoint } from "../exchange/exchange_fixture.ts";
import { ClientMark } from "../exchange/header_edits.ts";
import type { InboundClient } from "./inbound_client.ts";
import { InboundHttp } from "./inbound_http.ts";

const REFUSED_STREAM = 7;
const observer = { onVerdict() {}, onRequest() {}, onFinished() {}, onRateLimited() {}, onRevoked() {} };

/** How often an application gets one request, to each of which it gives the same answer; and what the client gets in the end. */
async function tries(answer: (id: number) => Uint8Array): Promise<{ seen: number; status: number }> {
  const app = new TestEndpoint(true);
  const route = {
    isMesh: false,
    mark: new ClientMark(""),
    application: app.state,
    policy: () => ({ request: () => ({ kind: "allow" }) }),
    portPolicy: () => ({ spec: { protocol: "http2", rateLimit: null } }),
  } as unknown as InboundClient; // what the pipeline asks for
  const client = clientOf(new InboundHttp(observer), true, () => 1, route);
  client.peer.send(PREFACE, settings(), settingsAck(), request(1));
  let seen = 0;
  for (let before = -1; before < seen;) {
    before = seen;
    await turn();
    for (const { peer } of app.dialled) {
      for (const frame of await peer.frames()) {
        if (frame.type !== "HEADERS") continue;
        seen++;
        peer.send(answer(frame.id));
      }
    }
  }
  const head = (await client.peer.frames()).find((frame) => frame.type === "HEADERS");
  return { seen, status: head === undefined ? 0 : client.peer.section(head, "response").status };
}

test("an application that refuses a stream is asked once more: it may not have told its limit yet", async () => {
  expect(await tries((id) => rst(id, REFUSED_STREAM))).toEqual({ seen: 2, status: 502 });
});

test("an application whose connections leave is asked on others, four times in all", async () => {
  expect(await tries(() => goaway(0, 0))).toEqual({ seen: 4, status: 502 });
});
