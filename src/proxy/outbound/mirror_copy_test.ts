import { expect, test } from "bun:test";
import { turn } from "../../../tests/support/fake_socket.ts";
import { brief, data, END_STREAM, headers, rst } from "../../../tests/support/h2_peer.ts";
import { headerBlock, NO_START } from "../../wire/header_block.ts";
import { TestEndpoint } from "../exchange/exchange_fixture.ts";
import { MAX_MIRROR_WAITING, MirrorCopy, mirrorsUnderWay } from "./mirror_copy.ts";

const HEAD = headerBlock({ ...NO_START, method: "POST", scheme: "http", authority: "web", path: "/" }, []);
const PLAIN = { minorVersion: 1, upgrade: "" } as const;
/** What a peer takes before it says that it takes more (RFC 9113 §6.9.2). */
const WINDOW = 65_535;

function rig({ ended = false, atOnce = true } = {}) {
  const endpoint = new TestEndpoint(true, atOnce);
  const results: string[] = [];
  const copy = new MirrorCopy(endpoint.state, HEAD, PLAIN, ended, () => 1, (result) => results.push(result));
  copy.start(true);
  return {
    endpoint,
    copy,
    results,
    peer: () => endpoint.dialled[0]?.peer,
    settled(...wanted: string[]) {
      expect(results).toEqual(wanted);
      expect([endpoint.pending, endpoint.unanswered, mirrorsUnderWay()]).toEqual([0, 0, 0]);
    },
  };
}

test("a copy takes its request along, whole, and drops the answer", async () => {
  const { copy, peer, settled } = rig();
  copy.data(Buffer.from("hello"), 0, 5, false);
  copy.data(Buffer.from("!"), 0, 1, true);
  await turn();
  const sent = brief(await peer()?.frames() ?? []).join(" ");
  expect(sent).toContain("DATA");
  peer()?.send(headers(1, { ":status": "200" }), data(1, "dropped", END_STREAM));
  settled("answered");
});

test("a copy that waits for its endpoint keeps no more than the limit", () => {
  const { copy, endpoint, settled } = rig({ atOnce: false });
  copy.data(new Uint8Array(MAX_MIRROR_WAITING), 0, MAX_MIRROR_WAITING, false);
  expect(endpoint.pending).toBe(1);
  copy.data(new Uint8Array(1), 0, 1, false);
  settled("dropped");
  copy.data(new Uint8Array(1), 0, 1, true); // nobody is there any more
});

test("a copy whose endpoint does not read is given up, and reset", async () => {
  const { copy, peer, settled } = rig();
  const size = WINDOW + MAX_MIRROR_WAITING;
  copy.data(new Uint8Array(size), 0, size, false);
  copy.data(new Uint8Array(1), 0, 1, false);
  await turn();
  expect(brief(await peer()?.frames() ?? []).join(" ")).toContain("RST_STREAM");
  settled("dropped");
});

test.each<[string, (made: ReturnType<typeof rig>) => void, string]>([
  ["its endpoint resets it", ({ peer }) => peer()?.send(rst(1, 2)), "failed"],
  ["its client goes away", ({ copy }) => copy.abandon(), "dropped"],
  ["it takes too long", ({ copy }) => copy.onTimer(), "dropped"],
])("a copy is over when %s", async (_title, act, result) => {
  const made = rig();
  await turn();
  act(made);
  made.settled(result);
});

test("a copy whose endpoint cannot be connected has failed", () => {
  const made = rig({ atOnce: false });
  made.endpoint.refuse();
  made.settled("failed");
});

test("a client that has sent everything may go: the copy is answered without it", async () => {
  const made = rig({ ended: true });
  await turn();
  made.copy.abandon();
  made.peer()?.send(headers(1, { ":status": "204" }, END_STREAM));
  made.settled("answered");
});
