/** `tulle explain` over manifests: the answers of the proxy's own functions. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { tulleCommand } from "../support/tulle_command.ts";

const SHOP = join(import.meta.dir, "shop.yaml");

/** Runs `tulle explain … -o json` on the shop. */
function explained(...words: string[]) {
  const command = [...tulleCommand(), "explain", "-f", SHOP, "-n", "shop", "-o", "json", ...words];
  const { stdout, stderr, exitCode } = Bun.spawnSync(command);
  return { answer: exitCode === 2 ? null : JSON.parse(stdout.toString()), error: stderr.toString(), exitCode };
}

const CASES: readonly (readonly [string, readonly string[], "permit" | "deny", RegExp])[] = [
  [
    "an admission of a route",
    ["deploy/front", "svc/web", "GET", "/metrics"],
    "permit",
    /AuthorizationPolicy shop\/front/,
  ],
  ["an arrow and a port", ["front", "→", "web:80", "GET", "/metrics"], "permit", /AuthorizationPolicy shop\/front/],
  ["another path", ["front", "svc/web", "GET", "/other"], "deny", /Server shop\/web-http/],
  ["another method", ["front", "svc/web", "POST", "/metrics"], "deny", /Server shop\/web-http/],
  ["a path with two readings", ["front", "svc/web", "GET", "/x/..%2fmetrics"], "deny", /Server shop\/web-http/],
  ["no identity", ["svc/web", "GET", "/metrics", "--from", "none"], "deny", /default deny/],
  ["another identity", ["front", "svc/web", "GET", "/metrics", "--from", "shop/other"], "deny", /default deny/],
  ["bytes that are no request", ["front", "svc/web"], "deny", /Server shop\/web-http/],
  ["an instance by name", ["front", "web-1:8000", "GET", "/metrics"], "permit", /AuthorizationPolicy shop\/front/],
];

test.each(CASES)("explain says what the server decides: %s", (_, words, verdict, policy) => {
  const { answer, exitCode, error } = explained(...words);
  expect(error).toBe("");
  const servers = answer.backends.flatMap((backend: { servers: unknown[] }) => backend.servers);
  expect(servers.length).toBeGreaterThan(0);
  for (const server of servers) expect([server.verdict, policy.test(server.policy)]).toEqual([verdict, true]);
  expect(exitCode).toBe(verdict === "permit" ? 0 : 1);
});

test("explain takes a caller of whom nothing is known for one without an identity", () => {
  const transport = (...words: string[]) => {
    const { backends: [{ servers: [server] }] } = explained("svc/web", "GET", "/metrics", ...words).answer;
    return server.transport;
  };
  expect([transport(), transport("--from", "shop/front")]).toEqual(["plaintext", "mutual TLS"]);
});

test("explain names what was meant when a name is wrong", () => {
  const { exitCode, error } = explained("frnt", "svc/web", "GET", "/");
  expect(exitCode).toBe(2);
  expect(error).toContain('Did you mean "front"?');
});

test("explain says what may not leave the mesh", () => {
  const { answer, exitCode } = explained("front", "203.0.113.9:80", "GET", "/");
  expect([answer.admitted, exitCode]).toEqual(["none", 1]);
  expect(answer.trouble).toContain("EgressNetwork shop/outside");
  expect(explained("front", "192.0.2.9:80", "GET", "/").answer.admitted).toBe("all");
});

test.each([
  ["api.example.org:443", "all", /allowed by EgressNetwork pay\/api; names are pinned/],
  ["files.example.org:443", "none", /denied by EgressNetwork pay\/no-files/],
  [
    "other.example.net:80",
    "some",
    /in 198.51.100.0\/24: allowed by EgressNetwork pay\/block.*elsewhere: egress_denied, no/,
  ],
  ["bank.example.com:443", "some", /in 203.0.113.0\/24: allowed by .*pay\/bank.*in 203.0.113.64\/26: egress_denied/],
  ["198.51.100.9:80", "all", /\(allowed by EgressNetwork pay\/block\)$/], // by its address: nothing has to be resolved
])("explain says whether a name may leave the mesh, or where it may: %s", (to, admitted, trouble) => {
  const { answer } = explained("-f", join(import.meta.dir, "egress.yaml"), "till", to, "GET", "/", "-n", "pay");
  expect(answer.trouble).toMatch(trouble);
  expect(answer.admitted).toBe(admitted);
});

test("explain names the limits and faults that hold for the caller, and no others", () => {
  const { answer } = explained("-f", join(import.meta.dir, "limits.yaml"), "front", "svc/web", "GET", "/metrics");
  const [backend] = answer.backends;
  expect(answer.route.faults).toEqual([
    "FaultInjection shop/slow: 10 % wait 2s, then get 503; until 2199-01-01T00:00:00.000Z",
  ]);
  expect(backend.limits).toEqual([
    "BackendPolicy shop/web: slow start 5s; retry budget 10 % and 3/s; " +
    "one endpoint for each value of the header x-user, up to 200 % of the mean under way to it",
  ]);
  expect(backend.servers.map(({ rates }: { rates: string }) => rates)).toEqual(
    Array(2).fill(
      "RateLimitPolicy shop/web: 100/s (150 at once) in all; 20/s (20 at once) for this caller; by instance",
    ),
  );
  const other = explained("-f", join(import.meta.dir, "limits.yaml"), "web", "svc/web", "GET", "/metrics").answer;
  expect(other.route.faults).toEqual([]);
  expect(other.backends[0].servers[0].rates).toContain("5/s (5 at once) for each identity");
});

test("explain says what a request lacks to be a call", () => {
  const ask = (...words: string[]) =>
    explained("-f", join(import.meta.dir, "calls.yaml"), "front", "svc/web", "POST", "/shop.v1.Cart/Add", ...words)
      .answer;
  expect(ask().trouble).toMatch(/no_route.*a GRPCRoute is for calls/);
  expect(ask("-H", "content-type: application/grpc+proto").route.ref).toContain("shop/calls");
});

test("a Service of manifests leads to the pods of its Deployment, by name of the port", () => {
  const manifests = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }, { name: admin, port: 81, targetPort: none }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web }, annotations: { tulle.dev/default-inbound-policy: all-authenticated } }
    spec: { containers: [{ name: web, image: web, ports: [{ name: http, containerPort: 8080 }] }] }
`;
  const ask = (...words: string[]) => {
    const command = [...tulleCommand(), "explain", "-f", "-", "-n", "shop", "-o", "json", ...words];
    const { stdout, exitCode } = Bun.spawnSync(command, { stdin: Buffer.from(manifests) });
    const { backends: [backend] } = JSON.parse(stdout.toString());
    return { servers: backend.servers, exitCode };
  };
  const { servers: [server], exitCode } = ask("deploy/web", "svc/web", "GET", "/");
  expect(server).toMatchObject({ workload: "shop/web", verdict: "permit" });
  expect(server.address).toEndWith(":8080");
  expect(exitCode).toBe(0);
  expect(ask("deploy/web", "svc/web:81", "GET", "/")).toEqual({ servers: [], exitCode: 1 });
});
