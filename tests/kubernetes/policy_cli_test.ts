/**
 * The commands about policy on a cluster: what explain, authz, replay, suggest and lint say is what then happens to real
 * requests; who may ask them; what migrate writes is taken by the webhook.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { eventually } from "../support/eventually.ts";
import { Cluster } from "./support/cluster.ts";
import { inPod, installMesh, podAddresses, READY_TIMEOUT_MS, rolledOut } from "./support/mesh.ts";
import { REPOSITORY, TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(4 * 60_000);

const NAMESPACES = ["shop", "other"].map((name) =>
  `---
apiVersion: v1
kind: Namespace
metadata: {name: ${name}, annotations: {tulle.dev/inject: enabled}}
`
).join("");

/** A Deployment with an identity of its own. */
function deployment(name: string, container: string, namespace = "shop", inject = "enabled"): string {
  return `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}, namespace: ${namespace}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}, annotations: {tulle.dev/inject: ${inject}}}
    spec:
      serviceAccountName: ${name}
      terminationGracePeriodSeconds: 1
      containers: [{name: ${name}, imagePullPolicy: Never, ${container}}]
`;
}

const SHELL = 'image: "deb:12", command: [sleep, infinity]';
const SERVE = "mkdir /tmp/w; for f in x y z ready; do echo $f >/tmp/w/$f; done; exec httpd -f -p 8080 -h /tmp/w";
const WEB = `${
  deployment(
    "web",
    `image: busybox:1.35, command: [sh, -c, "${SERVE}"], ports: [{name: http, containerPort: 8080}], ` +
      "readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}",
  )
}---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
`;

function policy(kind: string, name: string, spec: string): string {
  return `---
apiVersion: policy.tulle.dev/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: shop}
spec: ${spec}
`;
}

/** Only front, only GET /x. */
const NEW = [
  policy("Server", "web", "{podSelector: {matchLabels: {app: web}}, port: http}"),
  policy("MeshTLSAuthentication", "front", "{identityRefs: [{kind: ServiceAccount, name: front}]}"),
  `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: x, namespace: shop}
spec:
  parentRefs: [{group: policy.tulle.dev, kind: Server, name: web}]
  rules: [{matches: [{method: GET, path: {type: Exact, value: /x}}]}]
`,
  policy(
    "AuthorizationPolicy",
    "front",
    "{targetRef: {kind: HTTPRoute, name: x}, requiredAuthenticationRefs: [{kind: MeshTLSAuthentication, name: front}]}",
  ),
].join("");

/** Beside it: what explain also speaks of. */
const LIMITS = [
  policy("RateLimitPolicy", "web", "{targetRef: {kind: Server, name: web}, total: {requestsPerSecond: 500}}"),
  policy("BackendPolicy", "web", "{targetRef: {kind: Service, name: web}, slowStart: 1s}"),
  policy("FaultInjection", "web", "{targetRef: {kind: Service, name: web}, percent: 1, delay: 1ms, for: 1h}"),
].join("");

/** Who asked for what before there was a policy. */
const SEEN = [["front", "/x"], ["front", "/y"], ["stranger", "/x"], ["bare", "/x"]] as const;
const CALLERS = ["front", "stranger", "bare"];

interface Explained {
  readonly admitted: string;
  readonly route: { readonly faults: readonly string[] } | null;
  readonly backends: readonly {
    readonly limits: readonly string[];
    readonly servers: readonly { readonly verdict: string; readonly policy: string; readonly rates: string }[];
  }[];
}

describe.skipIf(TEST_BED === null)("the commands about policy on a cluster", () => {
  let cluster: Cluster;
  let bare: string;
  const folder = mkdtempSync(join(tmpdir(), "tulle-policy-cli-"));

  beforeAll(async () => {
    cluster = await Cluster.start({ name: "policy", net: "10.79" });
    await Promise.all([cluster.load("deb"), cluster.installGatewayApi()]);
    await installMesh(cluster);
    await cluster.apply(NAMESPACES);
    const others = deployment("front", SHELL) + deployment("stranger", SHELL) + deployment("web", SHELL, "other");
    await cluster.apply(WEB + others + deployment("bare", SHELL, "shop", "disabled"));
    for (const name of ["web", ...CALLERS]) await rolledOut(cluster, "shop", `deployment/${name}`);
    await rolledOut(cluster, "other", "deployment/web");
    [bare = ""] = await podAddresses(cluster, "shop", "app=bare");
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Status that a caller gets. */
  async function ask(who: string, path: string): Promise<number> {
    const argv = ["curl", "-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", `http://web.shop${path}`];
    return Number(await inPod(cluster, "shop", `deployment/${who}`, argv));
  }

  /** Waits until all that was seen is let in. */
  async function everySeen(): Promise<void> {
    await eventually(async () => {
      for (const [who, path] of SEEN) expect([who, path, await ask(who, path)]).toEqual([who, path, 200]);
    }, READY_TIMEOUT_MS);
  }

  /** Says that it is about the cluster: others of this machine may run a mesh of their own. */
  async function tulle(words: readonly string[], input = "", kubeconfig = cluster.kubeconfig) {
    return await cluster.tulle([...words, "--kubeconfig", kubeconfig], input);
  }

  async function explained(who: string, path: string): Promise<Explained> {
    const { stdout, stderr } = await tulle([
      "explain",
      `deploy/${who}`,
      "svc/web",
      "GET",
      path,
      "-n",
      "shop",
      "-o",
      "json",
    ]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Explained; // our own binary's
  }

  /** Asks what was seen, and compares the statuses with what explain says. */
  async function compareAll(): Promise<void> {
    for (const who of CALLERS) {
      for (const path of ["/x", "/y"]) {
        const [status, { admitted, backends }] = [await ask(who, path), await explained(who, path)];
        const servers = backends.flatMap((backend) => backend.servers);
        expect([who, path, admitted, servers.length]).toEqual([who, path, status === 200 ? "all" : "none", 1]);
        const isPermitted = status === 200;
        expect([who, path, servers[0]?.policy]).toEqual([
          who,
          path,
          isPermitted ? "AuthorizationPolicy shop/front" : path === "/x" ? "default deny" : "Server shop/web",
        ]);
      }
    }
  }

  function caller(who: string): string {
    return who === "bare" ? `${bare} (no identity)` : `spiffe://cluster.local/ns/shop/sa/${who}`;
  }

  interface Replayed {
    readonly changes: readonly {
      readonly caller: string;
      readonly request: string;
      readonly after: { readonly verdict: string };
    }[];
    readonly open: readonly unknown[];
  }

  async function replayed(manifests: string): Promise<Replayed> {
    const { stdout, stderr } = await tulle(["policy", "replay", "-f", "-", "-o", "json"], manifests);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Replayed; // our own binary's
  }

  test("replay names exactly whose verdict changes, and so it does", async () => {
    await everySeen();
    const { changes, open } = await replayed(NEW);
    const told = changes.map((each) => `${each.caller} ${each.request.replace(/ \(.*/, "")} ${each.after.verdict}`);
    const refused = SEEN.filter(([who, path]) => who !== "front" || path !== "/x");
    expect(told.sort()).toEqual(refused.map(([who, path]) => `${caller(who)} GET ${path} deny`).sort());
    expect(open).toEqual([]);
    await cluster.apply(NEW);
    await eventually(async () => {
      // In this order: the last of the objects is what admits front.
      expect([await ask("stranger", "/x"), await ask("front", "/x")]).toEqual([403, 200]);
    }, READY_TIMEOUT_MS);
    await compareAll();
    expect((await replayed(NEW)).changes).toEqual([]);
  });

  test("explain names the limits and faults of the request", async () => {
    await cluster.apply(LIMITS);
    const { route, backends: [backend] } = await explained("front", "/x");
    expect(route?.faults[0]).toStartWith("FaultInjection shop/web: 1 % wait 1ms; until ");
    expect(backend?.limits).toEqual(["BackendPolicy shop/web: slow start 1s"]);
    expect(backend?.servers[0]?.rates).toBe("RateLimitPolicy shop/web: 500/s (500 at once) in all; by instance");
    await cluster.kubectl(["delete", "-f", "-"], LIMITS);
  });

  test("authz names who may call", async () => {
    const { stdout } = await tulle(["authz", "deploy/web", "-n", "shop"]);
    expect(stdout).toMatch(
      /8080 +GET \/x +allow +spiffe:\/\/cluster\.local\/ns\/shop\/sa\/front +AuthorizationPolicy shop\/front/,
    );
    expect(stdout).toMatch(/everything else, and what is not HTTP +allow +probes of the kubelet: \/ready/);
    expect(stdout).toMatch(/deny +everyone +no route matches/);
  });

  test("lint is content with the cluster, and finds what opens it", async () => {
    expect(await tulle(["policy", "lint", "--strict"])).toMatchObject({ code: 0, stdout: "nothing found\n" });
    const trial = policy("Server", "trial", "{podSelector: {matchLabels: {app: front}}, port: 1}") +
      policy(
        "AuthorizationPolicy",
        "trial",
        "{targetRef: {kind: Server, name: trial}, mode: audit, requiredAuthenticationRefs: [{kind: MeshTLSAuthentication, name: front}]}",
      );
    await cluster.apply(trial);
    const { code, stdout } = await tulle(["policy", "lint", "--strict"]);
    expect([code, stdout]).toEqual([1, expect.stringContaining("AuthorizationPolicy shop/trial: mode audit")]);
    await cluster.kubectl(["delete", "-f", "-"], trial);
  });

  test("suggest admits what was seen, and nothing else", async () => {
    await cluster.kubectl(["delete", "-f", "-"], NEW);
    await eventually(async () => expect(await ask("stranger", "/x")).toBe(200), READY_TIMEOUT_MS);
    // Another workload of the name has seen nothing that would matter here.
    expect(await tulle(["policy", "suggest", "deploy/web"])).toMatchObject({ code: 2 });
    const { stdout } = await tulle(["policy", "suggest", "deploy/web", "-n", "shop"]);
    expect(stdout).not.toContain("/ready");
    await cluster.apply(stdout);
    await eventually(async () => expect(await ask("front", "/z")).toBe(403), READY_TIMEOUT_MS);
    await everySeen();
    expect(await ask("stranger", "/y")).toBe(403);
    await rolledOut(cluster, "shop", "deployment/web"); // its probes are still let in
  });

  /** A kubeconfig of a ServiceAccount. */
  async function kubeconfigOf(account: string): Promise<string> {
    await cluster.kubectl(["create", "serviceaccount", account]);
    const token = (await cluster.kubectl(["create", "token", account])).trim();
    const config = parse(readFileSync(cluster.kubeconfig, "utf8")) as { users: { user: unknown }[] };
    for (const each of config.users) each.user = { token };
    const file = join(folder, account);
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  test("the rights that the example grants are those that the commands need", async () => {
    await cluster.kubectl(["apply", "-f", join(REPOSITORY, "deploy/examples/policy-viewer.yaml")]);
    const viewer = await kubeconfigOf("viewer");
    const grant = ["--clusterrole=tulle-policy-viewer", "--serviceaccount=default:viewer"];
    await cluster.kubectl(["create", "clusterrolebinding", "viewer", ...grant]);
    expect(await tulle(["authz", "deploy/web", "-n", "shop"], "", viewer)).toMatchObject({ code: 0, stderr: "" });
    const flows = await tulle(["policy", "flows"], "", viewer);
    expect([flows.code, flows.stderr]).toEqual([0, ""]);
    expect(flows.stdout).toContain(caller("front"));
    // Without the right to see policies nothing is said, rather than that there are none.
    const blind = await kubeconfigOf("blind");
    await cluster.kubectl([
      "create",
      "clusterrolebinding",
      "blind",
      "--clusterrole=view",
      "--serviceaccount=default:blind",
    ]);
    const { code, stdout, stderr } = await tulle(["authz", "deploy/web", "-n", "shop"], "", blind);
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining("cannot list resource")]);
  });

  test.each(["emojivoto", "bookinfo", "limits", "splits"])(
    "what migrate makes of %s passes admission",
    async (name) => {
      const written = await tulleMigrate(name);
      const namespaces = new Set([...written.matchAll(/namespace: ([a-z0-9-]+)/g)].map(([, each = ""]) => each));
      expect(namespaces.size).toBeGreaterThan(0);
      for (const each of namespaces) await cluster.try(["create", "namespace", each]);
      await cluster.kubectl(["apply", "--server-side", "--dry-run=server", "-f", "-"], written);
    },
  );

  async function tulleMigrate(name: string): Promise<string> {
    const { stdout } = await cluster.tulle(["migrate", "-f", join(REPOSITORY, `tests/migrate/cases/${name}.yaml`)]);
    return stdout;
  }
});
