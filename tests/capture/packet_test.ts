/** Does a packet socket see what passes over a link, whole and in order of arrival? */
import { expect, test } from "bun:test";
import { PacketSocket } from "../../src/capture/packet_socket.ts";
import { readSegment } from "../../controller/cli/up/prove/segment.ts";
import { eventually } from "../support/eventually.ts";
import { answer, ask, Bed, means, PEER_IPV4 } from "./_bed.ts";

const isRoot = means() === "here";

test.if(isRoot)("PacketSocket sees the segments of a connection on the link, in both directions", async () => {
  using bed = new Bed();
  using socket = bed.workload.run(() => new PacketSocket("eth0"));
  const server = bed.peer.run(() => answer("peer", "::", 80));
  await bed.workload.run(() => ask(PEER_IPV4, 80));
  server.stop();
  const texts: string[] = [];
  let opened = 0;
  await eventually(() => {
    socket.read((frame) => {
      const segment = readSegment(frame);
      if (segment?.syn && !segment.ack && segment.target === PEER_IPV4) opened++;
      if (segment !== null && segment.payload.length > 0) texts.push(Buffer.from(segment.payload).toString());
    });
    expect([opened, texts]).toEqual([1, ["peer ?"]]);
  });
  expect(socket.lost()).toBe(0);
});

test.if(isRoot)("PacketSocket refuses a link that is not there", () => {
  using bed = new Bed();
  expect(() => bed.workload.run(() => new PacketSocket("eth9"))).toThrow("ENODEV: cannot watch link eth9");
});
