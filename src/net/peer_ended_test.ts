import { expect, test } from "bun:test";
import { eventually } from "../../tests/support/eventually.ts";
import { peerHasEnded } from "./peer_ended.ts";
import type { RawSocket } from "./socket.ts";

/** Keeps the event loop busy, so that nothing is read. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("peerHasEnded() knows of a FIN before the event loop does, and touches no byte", async () => {
  const accepted: Bun.Socket[] = [];
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (s) => void accepted.push(s), data() {} },
  });
  let text = "";
  let isEnded = false;
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    allowHalfOpen: true,
    socket: { data: (_, bytes) => void (text += bytes.toString()), end: () => void (isEnded = true) },
  });
  const raw = client as unknown as RawSocket; // fd is missing in the type only
  await eventually(() => expect(accepted).toHaveLength(1));
  expect(peerHasEnded(raw)).toBe(false);
  accepted[0]?.write("hello");
  block(20);
  expect(peerHasEnded(raw)).toBe(false);
  await eventually(() => expect(text).toBe("hello"));
  accepted[0]?.shutdown();
  block(20);
  expect([peerHasEnded(raw), isEnded]).toEqual([true, false]);
  client.terminate();
});
