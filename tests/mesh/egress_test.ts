/** What may leave the mesh, as the workload and the server outside see it: plaintext by Host, TLS by SNI, the rest by address. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect as connectTls, createServer } from "node:tls";
import { createCa } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { freePorts } from "../support/ports.ts";
import { sumOf } from "../support/prometheus.ts";
import { NAMESPACE, type Resource, workload } from "../support/resources.ts";
import { connectTcp, listenTcp, type TcpListener } from "../support/tcp.ts";

setDefaultTimeout(90_000);

/** Outside of the mesh and of the cluster's networks. */
const OUTSIDE = "127.9.9.9";
const METRIC = "outbound_egress_total";
let mesh: Mesh;
let web: HttpApp;
let raw: TcpListener;
let tlsServer: ReturnType<typeof createServer>;
let tlsAccepted = 0;
let ports: { readonly http: number; readonly tls: number; readonly raw: number };

beforeAll(async () => {
  const [http = 0, tls = 0, rawPort = 0] = await freePorts(3, OUTSIDE);
  ports = { http, tls, raw: rawPort };
  web = serveHttp(OUTSIDE, http, async (_request, peer) => await peer.write(reply(200, "outside")));
  raw = listenTcp(OUTSIDE, rawPort, async (peer) => {
    await peer.write("greetings\n");
    await peer.readAll().catch(() => {});
    peer.end();
  });
  const { certificate: cert, key } = await (await createCa()).issue({ dnsNames: ["example.org"] });
  tlsServer = createServer({ cert, key }, (socket) => {
    tlsAccepted++;
    socket.on("error", () => {});
    socket.end(`hello ${String(socket.servername)}`); // a name, or false
  });
  await new Promise<void>((resolve) => tlsServer.listen(tls, OUTSIDE, resolve));
  mesh = await startMesh({
    workloads: [workload("front", { calls: [http, tls, rawPort].map((port) => `${OUTSIDE}:${port}`) })],
    services: [],
    resources: [],
  });
});

afterAll(async () => {
  web?.[Symbol.dispose]();
  raw?.[Symbol.dispose]();
  tlsServer?.close();
  await mesh?.[Symbol.asyncDispose]();
});

function namespace(policy: "allow" | "deny"): Resource {
  const annotations = { "tulle.dev/default-egress-policy": policy };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, annotations } };
}

function network(name: string, spec: Resource): Resource {
  return {
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "EgressNetwork",
    metadata: { name, namespace: NAMESPACE },
    spec,
  };
}

const ask = (host: string) => fetchOnce(mesh.to("front", `${OUTSIDE}:${ports.http}`), "/", { host });

/** What the server says over TLS; "refused" when the connection does not come to that. */
function askTls(servername: string): Promise<string> {
  const { host, port } = mesh.to("front", `${OUTSIDE}:${ports.tls}`);
  return new Promise((resolve) => {
    let said = "";
    const options = { host, port, rejectUnauthorized: false, ...(servername === "" ? {} : { servername }) };
    const socket = connectTls(options);
    socket.on("data", (data: Buffer) => said += data.toString());
    socket.on("error", () => {});
    socket.on("close", () => resolve(said === "" ? "refused" : said));
  });
}

const counted = async (labels: Record<string, string>) => sumOf(await mesh.sidecar("front").metrics(), METRIC, labels);

test.skipIf(isDirect)("without policy everything leaves, TLS as it is", async () => {
  expect((await ask("anything.example.org")).status).toBe(200);
  expect(await askTls("anything.example.org")).toBe("hello anything.example.org");
  using peer = await connectTcp(mesh.to("front", `${OUTSIDE}:${ports.raw}`));
  expect(Buffer.from(await peer.read() ?? []).toString()).toBe("greetings\n");
  expect(await counted({})).toBe(0);
});

test.skipIf(isDirect)(
  "with deny as default only what is named leaves, and each refusal is told and counted",
  async () => {
    mesh.apply([
      namespace("deny"),
      network("api", { trafficPolicy: "Allow", hosts: ["api.example.org", "*.cdn.example.org"] }),
    ]);
    const refused = await eventually(async () => {
      const answer = await ask("other.example.org");
      expect(answer.status).toBe(403);
      return answer;
    });
    expect(header(refused, "tulle-error")).toBe("egress_denied");
    expect(refused.body.toString()).toContain("no EgressNetwork allows the address under the name other.example.org");
    const [seen, taken, greeted] = [web.requests(), tlsAccepted, raw.accepted()];
    expect((await ask("API.example.org:8080")).status).toBe(200);
    expect((await ask("x.cdn.example.org")).status).toBe(200);
    expect((await ask("cdn.example.org")).status).toBe(403);
    expect(web.requests() - seen).toBe(2);

    expect(await askTls("api.example.org")).toBe("hello api.example.org");
    expect(await askTls("evil.example.org")).toBe("refused");
    expect(await askTls("")).toBe("refused");
    expect(tlsAccepted - taken).toBe(1);

    // Neither a client that waits for the server nor one that speaks no protocol with a name gets through.
    using silent = await connectTcp(mesh.to("front", `${OUTSIDE}:${ports.raw}`));
    expect(await silent.readAll(20_000).then((bytes) => bytes.toString(), () => "reset")).toMatch(/^(reset)?$/);
    expect(raw.accepted() - greeted).toBe(0);

    expect(await counted({ verdict: "deny", protocol: "http" })).toBeGreaterThanOrEqual(2);
    expect(await counted({ verdict: "deny", protocol: "tls" })).toBe(1);
    expect(await counted({ verdict: "deny", protocol: "tcp" })).toBeGreaterThanOrEqual(2);
    expect(await counted({ verdict: "allow", protocol: "tls", egress_name: "api" })).toBe(1);
    expect(mesh.sidecar("front").child().output()).toContain("evil.example.org");
  },
);

test.skipIf(isDirect)("a name leads nowhere outside of the networks that stand beside it", async () => {
  const elsewhere = { networks: [{ cidr: "198.51.100.0/24" }], hosts: ["api.example.org"] };
  mesh.apply([namespace("deny"), network("api", { trafficPolicy: "Allow", ...elsewhere })]);
  await eventually(async () => expect((await ask("api.example.org")).status).toBe(403));
  expect(await askTls("api.example.org")).toBe("refused");
  const here = { networks: [{ cidr: `${OUTSIDE}/32` }], hosts: ["api.example.org"] };
  mesh.apply([namespace("deny"), network("api", { trafficPolicy: "Allow", ...here })]);
  await eventually(async () => expect((await ask("api.example.org")).status).toBe(200));
  expect(await askTls("api.example.org")).toBe("hello api.example.org");
});

test.skipIf(isDirect)("a denial wins over what allows, by address alone too", async () => {
  mesh.apply([
    network("all", { trafficPolicy: "Allow" }),
    network("not-there", { trafficPolicy: "Deny", networks: [{ cidr: "127.9.0.0/16" }] }),
  ]);
  await eventually(async () => expect((await ask("api.example.org")).body.toString()).toContain("shop/not-there"));
  using peer = await connectTcp(mesh.to("front", `${OUTSIDE}:${ports.raw}`));
  expect(await peer.readAll(20_000).then((bytes) => bytes.toString(), () => "reset")).toMatch(/^(reset)?$/);
  mesh.apply([]);
  await eventually(async () => expect((await ask("api.example.org")).status).toBe(200));
});
