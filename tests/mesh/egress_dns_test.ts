/** Names that admit to the addresses alone that the workload's nameserver gave for them; a real nameserver, real resolvers. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Resolver } from "node:dns/promises";
import { connect as connectTls, createServer, type TLSSocket } from "node:tls";
import { createCa } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { fetchOnce, header, type HttpApp, reply, serveHttp } from "../support/http1.ts";
import { isDirect, type Mesh, startMesh } from "../support/mesh.ts";
import { freePorts } from "../support/ports.ts";
import { sumOf } from "../support/prometheus.ts";
import { NAMESPACE, type Resource, workload } from "../support/resources.ts";

setDefaultTimeout(90_000);

/** Where the allowed names lead, and where a program that means harm would like to get with them. */
const RIGHT = "127.9.9.10";
const WRONG = "127.9.9.11";
const HOST = "127.0.0.1";
const skip = isDirect || Bun.which("dnsmasq") === null;

let mesh: Mesh;
let nameserver: Bun.Subprocess;
let relayPort = 0;
let resolver: Resolver;
const ports = { http: 0, tls: 0 };
const apps: HttpApp[] = [];
const tlsServers: ReturnType<typeof createServer>[] = [];

beforeAll(async () => {
  if (skip) return;
  const [http = 0, tls = 0, dns = 0, relay = 0] = await freePorts(4);
  Object.assign(ports, { http, tls });
  relayPort = relay;
  const { certificate: cert, key } = await (await createCa()).issue({ dnsNames: ["api.example.org"] });
  for (const host of [RIGHT, WRONG]) {
    apps.push(serveHttp(host, http, async (_request, peer) => await peer.write(reply(200, host))));
    const server = createServer({ cert, key }, (socket) => {
      socket.on("error", () => {});
      socket.write(`hello from ${host}`);
    });
    await new Promise<void>((resolve) => server.listen(tls, host, resolve));
    tlsServers.push(server);
  }
  nameserver = Bun.spawn([
    ...["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"],
    ...[`--port=${dns}`, `--listen-address=${HOST}`, "--bind-interfaces", "--local-ttl=1", "--pid-file="],
    `--host-record=api.example.org,${RIGHT}`,
    `--cname=www.example.org,api.example.org`,
    `--host-record=evil.example.com,${WRONG}`,
  ], { stdout: "ignore", stderr: "ignore" });
  const env = {
    TULLE_EGRESS_DNS: "pinned",
    TULLE_DNS_ADDRESS: `${HOST}:${relay}`,
    TULLE_NAMESERVERS: `${HOST}:${dns}`,
  };
  const calls = [RIGHT, WRONG].flatMap((host) => [http, tls].map((port) => `${host}:${port}`));
  mesh = await startMesh({ workloads: [workload("front", { calls, env })], services: [], resources: [] });
  resolver = new Resolver({ timeout: 1000, tries: 10 });
  resolver.setServers([`${HOST}:${relay}`]);
  await eventually(async () =>
    expect(await resolver.resolve4("other.example.org").catch(String)).toContain("EREFUSED")
  );
});

afterAll(async () => {
  for (const app of apps) app[Symbol.dispose]();
  for (const server of tlsServers) server.close();
  nameserver?.kill();
  await nameserver?.exited;
  await mesh?.[Symbol.asyncDispose]();
});

function policy(...hosts: string[]): Resource[] {
  const annotations = { "tulle.dev/default-egress-policy": "deny" };
  const metadata = { name: "api", namespace: NAMESPACE };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, annotations } },
    {
      apiVersion: "policy.tulle.dev/v1alpha1",
      kind: "EgressNetwork",
      metadata,
      spec: { trafficPolicy: "Allow", hosts },
    },
  ];
}

const ask = (name: string, ip: string) => fetchOnce(mesh.to("front", `${ip}:${ports.http}`), "/", { host: name });

/** Speaks TLS and stays. @returns the socket and what the server says; null when the connection does not come to that */
function openTls(servername: string, ip: string): Promise<TLSSocket | null> {
  const { host, port } = mesh.to("front", `${ip}:${ports.tls}`);
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, servername });
    socket.on("data", () => resolve(socket));
    socket.on("error", () => {});
    socket.on("close", () => resolve(null));
  });
}

async function isTaken(servername: string, ip: string): Promise<boolean> {
  const socket = await openTls(servername, ip);
  socket?.destroy();
  return socket !== null;
}

const counted = async (name: string, labels: Record<string, string>) =>
  sumOf(await mesh.sidecar("front").metrics(), name, labels);

test.skipIf(skip)("a name leads to the addresses alone that the nameserver gave for it", async () => {
  mesh.apply(policy("*.example.org"));
  const refused = await eventually(async () => {
    const answer = await ask("api.example.org", RIGHT);
    expect(answer.status).toBe(403);
    return answer;
  });
  expect(header(refused, "tulle-error")).toBe("not_resolved");
  expect(refused.body.toString()).toContain("has not given this address for it (tulle.dev/egress-dns: pinned)");
  expect(await isTaken("api.example.org", RIGHT)).toBe(false);

  expect(await resolver.resolve4("api.example.org")).toEqual([RIGHT]);
  expect((await ask("api.example.org", RIGHT)).body.toString()).toBe(RIGHT);
  expect(await isTaken("API.example.org", RIGHT)).toBe(true);
  expect(await isTaken("www.example.org", RIGHT)).toBe(false);
  expect(await resolver.resolve4("www.example.org")).toEqual([RIGHT]); // by its alias
  expect(await isTaken("www.example.org", RIGHT)).toBe(true);
});

test.skipIf(skip)("an allowed name opens no way to another address, whatever the program has looked up", async () => {
  await resolver.resolve4("api.example.org");
  expect(await resolver.resolve4("evil.example.com")).toEqual([WRONG]);
  expect(await isTaken("api.example.org", WRONG)).toBe(false);
  expect(await isTaken("evil.example.com", WRONG)).toBe(false);
  const answer = await ask("api.example.org", WRONG);
  expect([answer.status, header(answer, "tulle-error")]).toEqual([403, "not_resolved"]);
  expect(await counted("outbound_egress_total", { reason: "not_resolved", protocol: "tls" })).toBeGreaterThan(0);
  expect(await counted("tulle_dns_answers_total", { transport: "udp" })).toBeGreaterThan(0);
  expect(await counted("tulle_dns_pinned_names", {})).toBeGreaterThanOrEqual(3);
  expect(mesh.sidecar("front").child().output()).toContain("the workload's nameserver has not given this address");
});

test.skipIf(skip || Bun.which("dig") === null)(
  "resolvers get what the nameserver says, by UDP and by TCP",
  async () => {
    const dig = async (...words: string[]) => {
      const child = Bun.spawn(["dig", `@${HOST}`, "-p", String(relayPort), "+short", ...words], { stdout: "pipe" });
      return (await new Response(child.stdout).text()).trim();
    };
    expect(await dig("www.example.org")).toBe(`api.example.org.\n${RIGHT}`);
    expect(await dig("+tcp", "+keepopen", "api.example.org", "evil.example.com")).toBe(`${RIGHT}\n${WRONG}`);
    expect(await counted("tulle_dns_answers_total", { transport: "tcp" })).toBe(2);
  },
);

test.skipIf(skip)("a connection ends soon after policy takes its name away; those that may stay do", async () => {
  mesh.apply(policy("*.example.org", "evil.example.com"));
  await resolver.resolve4("api.example.org");
  await resolver.resolve4("evil.example.com");
  await eventually(async () => expect(await isTaken("evil.example.com", WRONG)).toBe(true));
  const stays = await openTls("api.example.org", RIGHT);
  const goes = await openTls("evil.example.com", WRONG);
  const end = (socket: TLSSocket | null) => new Promise<void>((resolve) => socket?.on("close", () => resolve()));
  const [ofStays, ofGoes] = [end(stays), end(goes)];
  mesh.apply(policy("*.example.org"));
  await ofGoes;
  expect(stays?.destroyed).toBe(false);
  mesh.apply(policy("other.example.org"));
  await ofStays;
  expect(await counted("outbound_egress_total", { verdict: "revoke", protocol: "tls" })).toBe(2);
  expect((await ask("api.example.org", RIGHT)).status).toBe(403);
});

test.skipIf(skip)("where the nameserver is away nothing is made up, and what was pinned stays", async () => {
  mesh.apply(policy("*.example.org"));
  await eventually(async () => expect((await ask("api.example.org", RIGHT)).status).toBe(200));
  nameserver.kill();
  await nameserver.exited;
  const impatient = new Resolver({ timeout: 200, tries: 1 });
  impatient.setServers([`${HOST}:${relayPort}`]);
  expect(await impatient.resolve4("api.example.org").catch((error: { code: string }) => error.code)).toBe("ETIMEOUT");
  expect((await ask("api.example.org", RIGHT)).status).toBe(200);
  expect(await counted("tulle_dns_failures_total", { reason: "unreachable" })).toBeGreaterThan(0);
});
