import { expect, test } from "bun:test";
import { listen } from "./listener.ts";
import { dial, onSocketBug, type RawSocket, type SocketOwner } from "./socket.ts";

/** Notes what happens, and resolves `done` at the end. */
class Notes implements SocketOwner {
  stats = null;
  readonly events: string[] = [];
  readonly done: Promise<void>;
  readonly #onOpen: (socket: RawSocket) => void;
  readonly #onData: (bytes: Buffer) => void;
  #finish: () => void = () => {};

  constructor(onOpen: (socket: RawSocket) => void = () => {}, onData: (bytes: Buffer) => void = () => {}) {
    this.#onOpen = onOpen;
    this.#onData = onData;
    this.done = new Promise((resolve) => this.#finish = resolve);
  }

  onOpen(socket: RawSocket): void {
    this.events.push("open");
    this.#onOpen(socket);
  }
  onHandshake(): void {}
  onData(buffer: Buffer): void {
    this.events.push(`data ${buffer.length}`);
    this.#onData(buffer);
  }
  onDrain(): void {}
  onEnd(): void {
    this.events.push("end");
  }
  onClose(): void {
    this.events.push("close");
    this.#finish();
  }
  onConnectFailed(): void {
    this.events.push("failed");
    this.#finish();
  }
}

for (const [host, port] of [["127.0.0.1", 1], ["127.0.0.1", 70_000], ["", 80]] as const) {
  test(`dial() tells its owner that "${host}" port ${port} cannot be connected, and throws nothing`, async () => {
    const owner = new Notes();
    dial(host, port, owner);
    await owner.done;
    expect(owner.events).toEqual(["failed"]);
  });
}

test("an exception in a handler costs its connection and is reported, and the listener goes on", async () => {
  const bugs: string[] = [];
  onSocketBug((error) => bugs.push(error.message));
  const accepted: Notes[] = [];
  const listener = listen({ host: "127.0.0.1", port: 0 }, () => {
    const owner = new Notes(() => {}, () => {
      throw new Error("boom");
    });
    accepted.push(owner);
    return owner;
  });
  for (let i = 0; i < 2; i++) {
    const client = new Notes((socket) => void socket.write("x"));
    dial("127.0.0.1", listener.port, client);
    await accepted[i]?.done;
    await client.done;
    expect(accepted[i]?.events.at(-1)).toBe("close");
  }
  expect(bugs).toEqual(["boom", "boom"]);
  listener.stop(true);
});

test("an exception while a connection is accepted costs that connection alone", async () => {
  const bugs: string[] = [];
  onSocketBug((error) => bugs.push(error.message));
  const listener = listen({ host: "127.0.0.1", port: 0 }, () => {
    throw new Error("no owner");
  });
  const client = new Notes();
  dial("127.0.0.1", listener.port, client);
  await client.done;
  expect(bugs).toEqual(["no owner"]);
  listener.stop(true);
});
