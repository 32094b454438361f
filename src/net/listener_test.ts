import { expect, test } from "bun:test";
import { connect } from "node:net";
import { once } from "node:events";
import { eventually } from "../../tests/support/eventually.ts";
import { AcceptCounts, AcceptShare } from "./accept_share.ts";
import { closeDescriptor, listen, type ListenAt } from "./listener.ts";
import type { RawSocket, SocketOwner } from "./socket.ts";

/** Says its name to each client. */
class Greeter implements SocketOwner {
  stats = null;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  onOpen(socket: RawSocket): void {
    socket.write(this.#name);
  }
  onHandshake(): void {}
  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
  onConnectFailed(): void {}
}

/** Ends each connection at once. */
class Refuser extends Greeter {
  constructor() {
    super("");
  }

  override onOpen(socket: RawSocket): void {
    socket.terminate();
  }
}

function greet(name: string, at: ListenAt = { host: "127.0.0.1", port: 0 }) {
  return listen(at, () => new Greeter(name));
}

async function answer(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    const [data] = await once(socket, "data");
    return String(data);
  } finally {
    socket.destroy();
  }
}

test("pause() leaves clients in the queue, and resume() serves them", async () => {
  const listener = greet("a");
  try {
    expect(listener.pause()).toBe(true);
    let heard = "";
    const waiting = answer(listener.port).then((text) => heard = text);
    const connected = connect(listener.port, "127.0.0.1");
    await once(connected, "connect"); // by the kernel alone
    expect(heard).toBe("");
    listener.resume();
    await waiting;
    expect(heard).toBe("a");
    connected.destroy();
  } finally {
    listener.stop(true);
  }
});

test("a descriptor from duplicate() goes on with the queue when the first listener stops", async () => {
  const first = greet("first");
  const fd = first.duplicate();
  expect(first.pause()).toBe(true);
  const waiting = [answer(first.port), answer(first.port)];
  await eventually(() => once(connect(first.port, "127.0.0.1").unref(), "connect"));
  first.stop();
  const second = greet("second", { fd, port: first.port });
  try {
    expect(await Promise.all(waiting)).toEqual(["second", "second"]);
    expect(await answer(first.port)).toBe("second");
  } finally {
    second.stop(true);
  }
});

test("stop() of a paused listener closes its socket", async () => {
  const listener = greet("a");
  listener.pause();
  listener.stop();
  const socket = connect(listener.port, "127.0.0.1");
  expect(((await once(socket, "error"))[0] as { code?: string }).code).toBe("ECONNREFUSED"); // errors of connect have one
  closeDescriptor(-1); // none: does nothing
});

test("listen() refuses a port that another listener has", () => {
  const listener = greet("a");
  try {
    expect(() => greet("b", { host: "127.0.0.1", port: listener.port })).toThrow();
  } finally {
    listener.stop(true);
  }
});

test("a client that was reset while it waited is not handed on, for it has no address any more", async () => {
  const addresses: unknown[] = [];
  const listener = listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    addresses.push(socket.remoteAddress);
    return new Greeter("a");
  });
  try {
    listener.pause();
    const gone = connect(listener.port, "127.0.0.1");
    await once(gone, "connect"); // by the kernel alone
    gone.resetAndDestroy();
    await once(gone, "close");
    const waiting = answer(listener.port);
    listener.resume();
    expect(await waiting).toBe("a");
    expect(addresses).toEqual(["127.0.0.1"]);
  } finally {
    listener.stop(true);
  }
});

test("a connection that ends while it is accepted does not leave the socket without anybody who listens", async () => {
  const counts = new AcceptCounts(1, 2);
  counts.enter(0, 1); // a thread that never listens, so that this one would step back
  const share = new AcceptShare(counts, 0, 0, () => {}, () => 1e9);
  let first = true;
  const accept = () => {
    if (!first) return new Greeter("a");
    first = false;
    return new Refuser();
  };
  const listener = listen({ host: "127.0.0.1", port: 0 }, accept, null, share);
  try {
    const refused = connect(listener.port, "127.0.0.1");
    await new Promise((resolve) => refused.on("error", resolve).on("close", resolve));
    expect(await answer(listener.port)).toBe("a");
  } finally {
    listener.stop(true);
  }
});
