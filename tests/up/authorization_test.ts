/**
 * The first policy of every user, in all its variations: only GET /metrics, only over mutual TLS, only from namespace
 * foo. Real sidecars with capture; plaintext comes from workloads without one. Needs root.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { means } from "../capture/_bed.ts";
import { eventually } from "../support/eventually.ts";
import { yamlOf } from "../support/mesh.ts";
import { type Child, type Finished, run } from "../support/process.ts";
import { sumOf } from "../support/prometheus.ts";
import type { Resource } from "../support/resources.ts";
import { need } from "../support/tools.ts";
import { tracesOnMachine, UpFolder } from "./_folder.ts";

setDefaultTimeout(90_000);

const tools = need("curl", "nsenter");
const isPossible = tools !== null && means() === "here";
if (!isPossible) console.log("skipped: authorization_test.ts needs root and the programs named above");

const ECHO = new URL("./echo.ts", import.meta.url).pathname;
const POLICY = "policy.tulle.dev/v1alpha1";
const GATEWAY = "gateway.networking.k8s.io";
/** Port of each version of HTTP. */
const PORTS = { "HTTP/1.1": 8080, "HTTP/2": 8081 } as const;
type Version = keyof typeof PORTS;
const VERSIONS = Object.keys(PORTS) as Version[]; // the keys just above
const RAW = 9000;
/** A caller by whether it has a sidecar, and its namespace. */
const CALLERS = {
  "mutual TLS": { foo: "authz-foo", bar: "authz-bar" },
  "plaintext": { foo: "authz-foo-bare", bar: "authz-bar-bare" },
} as const;
let folder: UpFolder;
let up: Child;
let cases = 0;

function program(name: string, namespace: string, command: readonly string[], meshed = true): Resource {
  return {
    apiVersion: "workload.tulle.dev/v1alpha1",
    kind: "ExternalWorkload",
    metadata: {
      name,
      namespace,
      labels: { app: name },
      annotations: { "tulle.dev/inject": meshed ? "enabled" : "disabled" },
    },
    spec: { serviceAccountName: name, run: { command } },
  };
}

function object(apiVersion: string, kind: string, name: string, spec: Resource): Resource {
  return { apiVersion, kind, metadata: { name, namespace: "shop" }, spec };
}

const server = (name: string, port: number, proxyProtocol: string) =>
  object(POLICY, "Server", name, {
    externalWorkloadSelector: { matchLabels: { app: "authz-web" } },
    port,
    proxyProtocol,
  });

/** A route of both HTTP Servers. */
const route = (kind: string, name: string, match: Resource, hostnames: readonly string[] = []) =>
  object(`${GATEWAY}/v1`, kind, name, {
    parentRefs: ["http1", "http2"].map((server) => ({ group: "policy.tulle.dev", kind: "Server", name: server })),
    ...(hostnames.length > 0 ? { hostnames } : {}),
    rules: [{ matches: [match] }],
  });

const allow = (name: string, kind: string, target: string, more: Resource = {}) =>
  object(POLICY, "AuthorizationPolicy", name, {
    targetRef: { group: kind === "Server" ? "policy.tulle.dev" : GATEWAY, kind, name: target },
    requiredAuthenticationRefs: [{ group: "policy.tulle.dev", kind: "MeshTLSAuthentication", name: "foo" }],
    ...more,
  });

const POLICIES = [
  server("http1", 8080, "HTTP/1"),
  server("http2", 8081, "HTTP/2"),
  server("raw", RAW, "opaque"),
  object(POLICY, "MeshTLSAuthentication", "foo", { identityRefs: [{ kind: "Namespace", name: "foo" }] }),
  route("HTTPRoute", "metrics", { path: { type: "Exact", value: "/metrics" }, method: "GET" }),
  allow("metrics", "HTTPRoute", "metrics"),
  route("HTTPRoute", "open", { path: { type: "PathPrefix", value: "/open" } }),
  allow("open", "HTTPRoute", "open"),
  route("HTTPRoute", "inner", { path: { type: "Exact", value: "/open/inner" } }),
  route("HTTPRoute", "host", { path: { type: "Exact", value: "/host" } }, ["only.example"]),
  allow("host", "HTTPRoute", "host"),
  route("GRPCRoute", "get", { method: { service: "shop.v1.Catalogue", method: "Get" } }),
  allow("get", "GRPCRoute", "get"),
  allow("raw", "Server", "raw"),
];

const SLEEP = ["sleep", "600"];
const PROGRAMS = [
  program("authz-web", "shop", [process.execPath, ECHO]),
  program("authz-foo", "foo", SLEEP),
  program("authz-bar", "bar", SLEEP),
  program("authz-foo-bare", "foo", SLEEP, false),
  program("authz-bar-bare", "bar", SLEEP, false),
];

beforeAll(async () => {
  if (!isPossible) return;
  folder = new UpFolder({ "programs.yaml": yamlOf(PROGRAMS), "policies.yaml": yamlOf(POLICIES) });
  up = folder.up();
  await up.waitForOutput(/3 of 3 sidecars ready/, 60_000);
  for (const version of VERSIONS) {
    await eventually(async () => expect((await ask("authz-foo", version, "/metrics")).status).toBe(200), 30_000);
  }
});

afterAll(async () => {
  await up?.stop(10_000);
  folder?.[Symbol.dispose]();
});

/** Runs a program in the network namespace of a workload. */
async function inside(workload: string, argv: readonly string[]): Promise<Finished> {
  const name = tracesOnMachine().find((each) => each.endsWith(`-${workload}-0`));
  if (name === undefined) throw new Error(`no namespace of ${workload}`);
  return await run({ argv: [tools?.nsenter ?? "", `--net=/run/netns/${name}`, ...argv], name: argv[0] ?? "" });
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Number that the request carried, and the application prints. */
  readonly id: number;
}

/** One request by curl, its path sent as it is. */
async function ask(who: string, version: Version, target: string, more: readonly string[] = []): Promise<Answer> {
  const id = ++cases;
  const http2 = version === "HTTP/2" ? ["--http2-prior-knowledge"] : [];
  const address = `http://${addressOf("authz-web")}:${PORTS[version]}`;
  const argv = [tools?.curl ?? "", "-sS", "-m", "20", "-D", "-", "--path-as-is", ...http2, "-H", `x-case: ${id}`];
  const to = target.startsWith("/") ? [`${address}${target}`] : ["--request-target", target, `${address}/`];
  const { stdout, stderr } = await inside(who, [...argv, ...more, ...to]);
  // What is no HTTP may be reset.
  if (stdout === "" && target.startsWith("/")) throw new Error(`no answer to ${target}: ${stderr}`);
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  return { status: Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1] ?? 0), head, body, id };
}

function addressOf(workload: string): string {
  return folder.info().workloads.find((each) => each.name.includes(workload))?.addresses[0] ?? "";
}

/** Whether the application has seen a request. */
function reached(id: number): boolean {
  return folder.log("shop.authz-web-0/app.log").includes(`case ${id}:`);
}

async function metrics(): Promise<string> {
  const admin = folder.info().workloads.find((each) => each.name.includes("authz-web"))?.admin ?? "";
  return await (await fetch(`${admin}/metrics`)).text();
}

const VARIATIONS = VERSIONS.flatMap((version) =>
  ["GET", "POST"].flatMap((method) =>
    ["/metrics", "/other"].flatMap((path) =>
      (["mutual TLS", "plaintext"] as const).flatMap((way) =>
        (["foo", "bar"] as const).map((namespace) => [version, method, path, way, namespace] as const)
      )
    )
  )
);

test.skipIf(!isPossible).each(VARIATIONS)(
  "%s %s %s by %s from namespace %s",
  async (version, method, path, way, namespace) => {
    const isRight = method === "GET" && path === "/metrics" && way === "mutual TLS" && namespace === "foo";
    const isRoute = method === "GET" && path === "/metrics";
    const answer = await ask(CALLERS[way][namespace], version, path, ["-X", method]);
    if (isRight) {
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({ method, path });
      return await eventually(() => expect(reached(answer.id)).toBe(true));
    }
    const who = way === "plaintext" ? "" : `spiffe://cluster.local/ns/${namespace}/sa/authz-${namespace}`;
    const port = `Server shop/${version === "HTTP/2" ? "http2" : "http1"}`;
    const address = "[0-9.]+, which has no mesh identity";
    const [told, logged] = isRoute
      ? [
        `no policy ${who === "" ? "" : `of ${port} or HTTPRoute shop/metrics `}allows it to ${
          who === "" ? address : who
        }`,
        `no policy of ${port} or HTTPRoute shop/metrics allows it to ${who === "" ? address : who}`,
      ]
      : [`no route ${who === "" ? "" : `of ${port} `}matches it`, `no route of ${port} matches it`];
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringMatching(new RegExp(`^forbidden: ${told}\n$`)),
    ]);
    expect(answer.head).toContain("tulle-error: forbidden\r\n");
    expect(answer.head).toMatch(new RegExp(`^tulle-error-detail: ${told}\r?$`, "m"));
    expect(reached(answer.id)).toBe(false);
    const labels = {
      ...(who === "" ? { tls: "no_identity" } : { client_id: who }),
      srv_name: version === "HTTP/2" ? "http2" : "http1",
    };
    const [name, more] = isRoute
      ? ["inbound_http_authz_deny_total", { route_name: "metrics", authz_kind: "default", authz_name: "deny" }]
      : ["inbound_http_route_not_found_total", {}];
    await eventually(async () =>
      expect(sumOf(await metrics(), name, { ...labels, ...more })).toBeGreaterThanOrEqual(1)
    );
    const log = folder.log("shop.authz-web-0/sidecar.log");
    expect(log).toMatch(
      new RegExp(`"request refused by policy".*"client_id":"${who}".*"reason":"${logged}","method":"[A-Z]+","path":"/`),
    );
  },
);

const NOT_METRICS = [
  ...["//metrics", "/metrics/", "/%6detrics", "/x/../metrics", "/./metrics", "/metrics;x=1", "/METRICS", "/Metrics"],
  ...["/metrics%00", "/metrics%2f", "/metrics/..%2fmetrics", "/\\metrics", "/%2fmetrics", "/metrics%3fx"],
  ...["/open/inner", "/open//inner", "/open/inner/", "/open/INNER", "/open/%69nner", "/open/x/../inner"],
  ...["/open/inner;v=1", "/open/./inner", "/open/inner%00.png", "/open\\inner", "/open/..%2fopen/inner", "/OPEN/x"],
  ...["/open/%2e%2e/metrics/x", "/host", "metrics", "*", "", "http://only.example/other", "http://x@only.example/host"],
];

test.skipIf(!isPossible).each(VERSIONS)("no other spelling of a path is let in: %s", async (version) => {
  for (const path of NOT_METRICS) {
    const { status, id } = await ask("authz-foo", version, path);
    expect([path, status === 200, reached(id)]).toEqual([path, false, false]);
  }
});

const PERMITTED: readonly (readonly [string, readonly string[], string])[] = [
  ["/metrics?name=%2f..%2f", [], "/metrics?name=%2f..%2f"],
  ["/open/a%20b", [], "/open/a%20b"],
  ["/open/", [], "/open/"],
  ["/host", ["-H", "host: only.example"], "/host"],
  ["/host", ["-H", "host: ONLY.Example.:8080"], "/host"],
];

test.skipIf(!isPossible).each(VERSIONS)("what has one meaning only is let in, as it was sent: %s", async (version) => {
  for (const [path, more, seen] of PERMITTED) {
    const { status, body } = await ask("authz-foo", version, path, more);
    expect([path, status]).toEqual([path, 200]);
    expect(JSON.parse(body).path).toBe(seen);
  }
});

test.skipIf(!isPossible)("the host that policy looks at is the one the application gets", async () => {
  const absolute = await ask("authz-foo", "HTTP/1.1", "http://only.example/host", ["-H", "host: other.example"]);
  expect(absolute.status).toBe(200);
  expect(JSON.parse(absolute.body)).toEqual({ method: "GET", path: "/host", host: "only.example" });
  const other = await ask("authz-foo", "HTTP/1.1", "http://other.example/host", ["-H", "host: only.example"]);
  expect([other.status, reached(other.id)]).toEqual([403, false]);
});

const GRPC = ["-X", "POST", "-H", "content-type: application/grpc", "-H", "te: trailers"];

test.skipIf(!isPossible)("gRPC is admitted by service and method, and refused by a status", async () => {
  const good = await ask("authz-foo", "HTTP/2", "/shop.v1.Catalogue/Get", GRPC);
  expect(good.status).toBe(200);
  await eventually(() => expect(reached(good.id)).toBe(true));
  for (
    const [who, path] of [
      ["authz-foo", "/shop.v1.Catalogue/Put"],
      ["authz-foo", "/shop.v1.Other/Get"],
      ["authz-foo", "/shop.v1.catalogue/get"],
      ["authz-foo", "//shop.v1.Catalogue/Get"],
      ["authz-foo", "/shop.v1.Catalogue/Get/"],
      ["authz-bar", "/shop.v1.Catalogue/Get"],
      ["authz-foo-bare", "/shop.v1.Catalogue/Get"],
    ] as const
  ) {
    const refused = await ask(who, "HTTP/2", path, GRPC);
    expect([path, refused.status, refused.body, reached(refused.id)]).toEqual([path, 200, "", false]);
    expect(refused.head).toContain("grpc-status: 7");
    expect(refused.head).toMatch(/grpc-message: forbidden: ./);
  }
});

test.skipIf(!isPossible)("what admits to a gRPC method admits to no other request for its path", async () => {
  const { status, id } = await ask("authz-foo", "HTTP/2", "/shop.v1.Catalogue/Get");
  expect([status, reached(id)]).toEqual([403, false]);
});

test.skipIf(!isPossible)("an opaque port is admitted by identity, and refused by a reset", async () => {
  const greet = async (who: string) =>
    await inside(who, [
      ...["timeout", "20", "bash", "-c"],
      `exec 3<>/dev/tcp/${addressOf("authz-web")}/${RAW} && cat <&3`,
    ]);
  expect((await greet("authz-foo")).stdout).toBe("served\n");
  const before = folder.log("shop.authz-web-0/app.log").split("greeted").length;
  for (const who of ["authz-bar", "authz-foo-bare", "authz-bar-bare"]) {
    const refused = await greet(who);
    expect([who, refused.stdout, refused.stderr]).toEqual([who, "", expect.stringContaining("reset by peer")]);
  }
  expect(folder.log("shop.authz-web-0/app.log").split("greeted").length).toBe(before);
  const labels = { srv_name: "raw", authz_kind: "default", authz_name: "deny" };
  await eventually(async () => {
    expect(sumOf(await metrics(), "inbound_tcp_authz_deny_total", labels)).toBeGreaterThanOrEqual(3);
  });
});

test.skipIf(!isPossible)("bytes that are not HTTP do not pass where requests are told apart", async () => {
  for (const port of Object.values(PORTS)) {
    for (const who of ["authz-foo", "authz-foo-bare"]) {
      const script = `exec 3<>/dev/tcp/${addressOf("authz-web")}/${port} && printf '\\0\\1\\2\\3\\4' >&3 && cat <&3`;
      const { stdout } = await inside(who, ["timeout", "20", "bash", "-c", script]);
      expect(stdout).not.toContain("HTTP/1.1 200");
    }
  }
});

test.skipIf(!isPossible)("a policy in audit mode refuses nobody, and says whom it would", async () => {
  const audit = POLICIES.map((each) => each["kind"] === "AuthorizationPolicy" ? audited(each) : each);
  folder.write("policies.yaml", yamlOf(audit));
  await eventually(async () => expect((await ask("authz-bar", "HTTP/1.1", "/metrics")).status).toBe(200), 30_000);
  expect((await ask("authz-foo", "HTTP/1.1", "/metrics")).status).toBe(200);
  expect((await ask("authz-bar-bare", "HTTP/1.1", "/other")).status).toBe(200);
  const named = { authz_kind: "AuthorizationPolicy", authz_name: "metrics" };
  await eventually(async () => {
    const text = await metrics();
    const would = (labels: Readonly<Record<string, string>>) =>
      sumOf(text, "inbound_http_audit_would_deny_total", labels);
    expect(would({ ...named, client_id: "spiffe://cluster.local/ns/bar/sa/authz-bar" })).toBeGreaterThanOrEqual(1);
    expect(would({ client_id: "spiffe://cluster.local/ns/foo/sa/authz-foo" })).toBe(0);
  });
  expect(folder.log("shop.authz-web-0/sidecar.log")).toMatch(
    /"request audited: would-deny".*"audit_policy":"AuthorizationPolicy shop\/metrics"/,
  );
});

function audited(policy: Resource): Resource {
  return { ...policy, spec: { ...policy["spec"] as Resource, mode: "audit" } }; // made above
}
