import { expect, test } from "bun:test";
import { connect } from "node:net";
import { once } from "node:events";
import { listen } from "./listener.ts";
import type { RawSocket, SocketOwner } from "./socket.ts";
import { resetConnection } from "./reset.ts";

const owner = (onOpen: (socket: RawSocket) => void): SocketOwner => ({
  stats: null,
  onOpen,
  onHandshake() {},
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
  onConnectFailed() {},
});

test("resetConnection() is seen as a reset, not as an end", async () => {
  const listener = listen({ host: "127.0.0.1", port: 0 }, () => owner((socket) => resetConnection(socket)));
  const client = connect(listener.port, "127.0.0.1");
  const [error] = await once(client, "error");
  expect((error as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  listener.stop(true);
});
