/** TCPRoutes and TLSRoutes: connections that are not HTTP go to the backends of their route, TLS by the name it asks for. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { sumOf } from "../support/prometheus.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { type Resource, service, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

const PORT = 9000;
let mesh: Mesh;
const apps: TcpListener[] = [];

beforeAll(async () => {
  const calls = [`raw:${PORT}`, `found:${PORT}`];
  mesh = await startMesh({
    workloads: [workload("front", { calls }), workload("raw"), workload("a"), workload("b")],
    services: [
      service("raw", PORT, "tulle.dev/opaque"),
      service("found", PORT, null, { app: "raw" }),
      service("a", PORT, "tulle.dev/opaque"),
      service("b", PORT, "tulle.dev/opaque"),
    ],
  });
  for (const name of ["raw", "a", "b"]) {
    apps.push(listenTcp(mesh.ip(name), PORT, async (peer) => {
      const first = await peer.read();
      await peer.write(`${name} ${first?.length}`);
      peer.end();
    }));
  }
});

afterAll(async () => {
  for (const app of apps) app[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function route(kind: "TCPRoute" | "TLSRoute", name: string, to: string, more: Resource = {}): Resource {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name, namespace: "shop" },
    spec: {
      parentRefs: ["raw", "found"].map((parent) => ({ group: "", kind: "Service", name: parent })),
      rules: [{ backendRefs: [{ name: to, port: PORT }] }],
      ...more,
    },
  };
}

/** What the application that was reached says to the bytes; "" when the connection was refused. */
async function say(bytes: Uint8Array, target = "raw"): Promise<string> {
  using peer = await connectTcp(mesh.to("front", `${target}:${PORT}`));
  await peer.write(Buffer.from(bytes));
  return (await peer.readAll(10_000).catch(() => Buffer.alloc(0))).toString();
}

/** The first message of the runtime's own TLS client. */
async function hello(serverName: string): Promise<Uint8Array> {
  const got = Promise.withResolvers<Uint8Array>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_socket, bytes) => got.resolve(new Uint8Array(bytes)) },
  });
  const tls = { rejectUnauthorized: false, serverName };
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    tls,
    socket: { data() {}, error() {} },
  });
  const bytes = await got.promise;
  client.terminate();
  server.stop(true);
  return bytes;
}

test.skipIf(isDirect)("connections go to the backend of a TCPRoute, declared or found out", async () => {
  expect(await say(Buffer.from("hello"))).toBe("raw 5");
  mesh.apply([route("TCPRoute", "r", "a")]);
  for (const target of ["raw", "found"]) {
    await eventually(async () => expect(await say(Buffer.from("\x00hello"), target)).toBe("a 6"));
  }
});

test.skipIf(isDirect)(
  "TLS goes by the name it asks for, whole; what asks for another goes to the TCPRoute",
  async () => {
    mesh.apply([
      route("TLSRoute", "exact", "a", { hostnames: ["a.example"] }),
      route("TLSRoute", "below", "b", { hostnames: ["*.b.example"] }),
      route("TCPRoute", "rest", "raw"),
    ]);
    const [a, b, other] = [await hello("a.example"), await hello("x.B.example"), await hello("c.example")];
    for (const target of ["raw", "found"]) {
      await eventually(async () => expect(await say(b, target)).toBe(`b ${b.length}`));
      expect(await say(a, target)).toBe(`a ${a.length}`);
      expect(await say(other, target)).toBe(`raw ${other.length}`);
      expect(await say(Buffer.from("\x01no TLS"), target)).toBe("raw 7");
    }
  },
);

test.skipIf(isDirect)("where all routes ask for a name, other connections are refused", async () => {
  mesh.apply([route("TLSRoute", "exact", "a", { hostnames: ["a.example"] })]);
  const [a, other] = [await hello("a.example"), await hello("c.example")];
  await eventually(async () => expect(await say(other)).toBe(""));
  expect(await say(a)).toBe(`a ${a.length}`);
});

test.skipIf(isDirect)(
  "a connection whose route leads nowhere is refused as a request would be, not for want of endpoints",
  async () => {
    const errors = async (error: string) =>
      sumOf(await mesh.sidecar("front").metrics(), "outbound_tcp_errors_total", { error });
    const ready = await errors("no_endpoints");
    mesh.apply([route("TCPRoute", "r", "gone")]);
    await eventually(async () => {
      expect(await say(Buffer.from("hello"))).toBe("");
      expect(await errors("invalid_backend")).toBeGreaterThan(0);
    });
    expect(await errors("no_endpoints")).toBe(ready);
  },
);
