import { expect, test } from "bun:test";
import { eventually } from "../../tests/support/eventually.ts";
import { listen } from "./listener.ts";
import { openSockets } from "./open_sockets.ts";
import { dial, type RawSocket, type SocketOwner } from "./socket.ts";

/** Ends when its peer does. */
class Quiet implements SocketOwner {
  stats = null;
  socket: RawSocket | null = null;
  isRefused = false;
  onOpen(socket: RawSocket): void {
    this.socket = socket;
  }
  onHandshake(): void {}
  onData(): void {}
  onDrain(): void {}
  onEnd(): void {
    this.socket?.end();
  }
  onClose(): void {}
  onConnectFailed(): void {
    this.isRefused = true;
  }
}

test("both ends of a connection are counted while they are open, and a failed one is not", async () => {
  const before = openSockets.count;
  const listener = listen({ host: "127.0.0.1", port: 0 }, () => new Quiet());
  const client = new Quiet();
  dial("127.0.0.1", listener.port, client);
  await eventually(() => expect(openSockets.count - before).toBe(2));
  client.socket?.end();
  await eventually(() => expect(openSockets.count).toBe(before));
  listener.stop(true);
  const refused = new Quiet();
  dial("127.0.0.1", listener.port, refused);
  await eventually(() => expect(refused.isRefused).toBe(true));
  expect(openSockets.count).toBe(before);
});

test("there are fewer sockets than descriptors, and fewer to be accepted than to be opened", () => {
  openSockets.limit = 2000;
  expect(openSockets.most).toBeLessThan(2000);
  expect(openSockets.mostAccepted).toBeLessThan(openSockets.most);
  openSockets.limit = 0;
  expect(openSockets.most).toBeGreaterThan(0);
});
