import { expect, test } from "bun:test";
import { eventually } from "../../tests/support/eventually.ts";
import { Outbox } from "./outbox.ts";
import { resetConnection } from "./reset.ts";
import type { RawSocket } from "./socket.ts";

test("what a peer said before it reset the connection is read, although writing to it failed", async () => {
  const accepted: Bun.Socket[] = [];
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (s) => void accepted.push(s), data() {} },
  });
  const events: string[] = [];
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    allowHalfOpen: true,
    socket: { data: (_, bytes) => void events.push(bytes.toString()), close: () => void events.push("closed") },
  }) as unknown as RawSocket; // fd is missing in the type only
  await eventually(() => expect(accepted).toHaveLength(1));
  const outbox = new Outbox(client, { onOutboxDrained() {}, onOutboxStuck() {} }, null, 0);
  accepted[0]?.write("413, and no more");
  resetConnection(accepted[0] as unknown as RawSocket); // as above
  outbox.append(Buffer.from("the rest of a body"), 0, 18);
  outbox.flush();
  expect(outbox.written).toBe(0);
  await eventually(() => expect(events).toEqual(["413, and no more", "closed"]));
});
