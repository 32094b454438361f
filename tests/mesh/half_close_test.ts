/** Opaque TCP keeps what TCP means: half-close both ways, resets, who speaks first. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { type Mesh, startMesh } from "../support/mesh.ts";
import { service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const DECLARED = 9000;
const DETECTED = 9001;
const SPEAKS_FIRST = 9002;
let mesh: Mesh;
const listeners: TcpListener[] = [];

beforeAll(async () => {
  const names = [["declared", DECLARED, "tulle.dev/opaque"], ["detected", DETECTED, null], [
    "greeter",
    SPEAKS_FIRST,
    null,
  ]] as const;
  mesh = await startMesh({
    workloads: [workload("front", { calls: names.map(([name, port]) => `${name}:${port}`) }), workload("back")],
    services: names.map(([name, port, protocol]) => service(name, port, protocol, { app: "back" })),
  });
  for (const port of [DECLARED, DETECTED]) {
    // Answers only when the client has ended: with the number of bytes it got, then more, then its own end.
    listeners.push(listenTcp(mesh.ip("back"), port, async (peer) => {
      const bytes = await peer.readAll();
      await peer.write(`got ${bytes.length}\n`);
      await peer.write("z".repeat(300_000));
      peer.end();
    }));
  }
  // Greets, ends its side at once, and then counts what the client still says.
  listeners.push(listenTcp(mesh.ip("back"), SPEAKS_FIRST, async (peer) => {
    await peer.write("hello\n");
    peer.end();
    heard = (await peer.readAll()).length;
  }));
});
let heard = 0;

afterAll(async () => {
  for (const listener of listeners) listener[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

for (const [name, port] of [["declared opaque", DECLARED], ["detected", DETECTED]] as const) {
  const target = () => mesh.to("front", `${name === "detected" ? "detected" : "declared"}:${port}`);

  test(`${name}: the client ends first, the server still answers`, async () => {
    using peer = await connectTcp(target());
    await peer.write(Buffer.alloc(200_000, 1));
    peer.end();
    const answer = (await peer.readAll()).toString("latin1");
    expect(answer.startsWith("got 200000\n")).toBe(true);
    expect(answer.length).toBe("got 200000\n".length + 300_000);
    expect(await peer.closed).toBeNull();
  });

  test(`${name}: the end of a client that said nothing is passed on`, async () => {
    using peer = await connectTcp(target());
    peer.end();
    expect((await peer.readAll()).toString("latin1").startsWith("got 0\n")).toBe(true);
  });

  test(`${name}: a reset of the client reaches the server`, async () => {
    const listener = listeners[port === DECLARED ? 0 : 1];
    if (listener === undefined) throw new Error("no listener");
    const peer = await connectTcp(target());
    await peer.write("some");
    const served = await eventually(() => {
      const [open] = listener.open();
      if (open === undefined || open.received !== 4) throw new Error("not there yet");
      return open;
    });
    peer.terminate();
    await served.closed;
    await eventually(() => expect(listener.open().size).toBe(0));
  });
}

test("a server that speaks first and ends its side still hears the client", async () => {
  using peer = await connectTcp(mesh.to("front", `greeter:${SPEAKS_FIRST}`));
  expect((await peer.readAll()).toString()).toBe("hello\n");
  await peer.write(Buffer.alloc(100_000));
  peer.end();
  await eventually(() => expect(heard).toBe(100_000));
});

test("a connection to a server that is not there ends soon", async () => {
  listeners.splice(0, 1)[0]?.[Symbol.dispose]();
  using peer = await connectTcp(mesh.to("front", `declared:${DECLARED}`)).catch(() => ({
    readAll: () => Promise.resolve(),
    [Symbol.dispose]() {},
  }));
  const start = performance.now();
  await peer.readAll().catch(() => {}); // an end and a reset are both right
  expect(performance.now() - start).toBeLessThan(15_000);
});
