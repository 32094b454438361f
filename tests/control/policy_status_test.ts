/** Conditions of our own kinds, on a real API server: what kubectl shows of them, and that writing them comes to an end. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { KubeObject } from "../../controller/api/client.ts";
import { resourcePath, TYPES } from "../../controller/api/resource_type.ts";
import { POLICY_KINDS } from "../../controller/kube/resources.ts";
import { createAll, planServices } from "../bench/controller/objects.ts";
import { ControllerProcess } from "../bench/controller/subject.ts";
import { TEST_BED } from "../kubernetes/support/test_bed.ts";
import { eventually } from "../support/eventually.ts";
import { KubeApi } from "../support/kube_api.ts";
import { sumOf } from "../support/prometheus.ts";

setDefaultTimeout(4 * 60_000);

/** A lease is had at once, and a round takes milliseconds; a busy machine takes its time. */
const WAIT_MS = 90_000;
const NAMESPACE = "load-0";

type PolicyKind = (typeof POLICY_KINDS)[number];

describe.skipIf(TEST_BED === null)("status of policies", () => {
  let api: KubeApi;
  let controller: ControllerProcess;

  beforeAll(async () => {
    api = await KubeApi.start();
    await api.defineKinds();
    await createAll(api.client, planServices({ namespaces: 1, services: 1, pods: 1 }));
    controller = await ControllerProcess.start(api.kubeconfig);
  });
  afterAll(async () => {
    await controller?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  async function make(kind: PolicyKind, name: string, spec: object): Promise<void> {
    await api.client.apply(TYPES[kind], { metadata: { namespace: NAMESPACE, name }, spec }, "test");
  }

  /** Waits for a reason of Accepted that is about the object as it stands. */
  async function reason(kind: PolicyKind, name: string, wanted: string): Promise<KubeObject> {
    return await eventually(async () => {
      const object = await api.client.get(TYPES[kind], NAMESPACE, name);
      const { conditions = [] } = (object["status"] ?? {}) as { conditions?: Record<string, unknown>[] }; // our schema
      expect(conditions.find(({ type }) => type === "Accepted")).toMatchObject({
        status: wanted === "Accepted" ? "True" : "False",
        reason: wanted,
        observedGeneration: object.metadata["generation"],
      });
      return object;
    }, WAIT_MS);
  }

  const server = (port: number | string) => ({ podSelector: { matchLabels: { app: "svc-0" } }, port });
  const target = (kind: string, name: string) => ({ targetRef: { kind, name } });
  const everyone = { requiredAuthenticationRefs: [] };

  test("an object of each kind is told that it is in force", async () => {
    await make("Server", "a", server("http"));
    await make("AuthorizationPolicy", "p", { ...target("Server", "a"), ...everyone });
    await make("MeshTLSAuthentication", "m", { identities: ["*"] });
    await make("NetworkAuthentication", "n", { networks: [{ cidr: "10.0.0.0/8" }] });
    await make("RateLimitPolicy", "r", { ...target("Server", "a"), total: { requestsPerSecond: 5 } });
    await make("BackendPolicy", "b", { ...target("Service", "svc-0"), slowStart: "10s" });
    await make("EgressNetwork", "e", { trafficPolicy: "Allow" });
    await make("FaultInjection", "f", { ...target("Service", "svc-0"), for: "1h", reset: true });
    const names = ["a", "p", "m", "n", "r", "b", "e", "f"];
    for (const [at, kind] of POLICY_KINDS.entries()) await reason(kind, names[at] ?? "", "Accepted");
  });

  test("a policy of a Server that is not there yet is told so, and when it comes", async () => {
    await make("AuthorizationPolicy", "early", { ...target("Server", "late"), ...everyone });
    await reason("AuthorizationPolicy", "early", "TargetNotFound");
    await make("Server", "late", server(9));
    await reason("AuthorizationPolicy", "early", "Accepted");
    await make("AuthorizationPolicy", "early", { ...target("Server", "gone"), ...everyone });
    const object = await reason("AuthorizationPolicy", "early", "TargetNotFound");
    expect(object.metadata["generation"]).toBe(2); // what is written into the status is no generation
  });

  test("the second Server of a port, and the second limit of a Server, are told who has it", async () => {
    await make("Server", "b", server("http"));
    await make("RateLimitPolicy", "s", { ...target("Server", "a"), total: { requestsPerSecond: 9 } });
    expect(JSON.stringify(await reason("Server", "b", "Conflicted"))).toContain("Server load-0/a");
    await reason("RateLimitPolicy", "s", "Conflicted");
    await api.client.delete(TYPES.RateLimitPolicy, NAMESPACE, "r");
    await reason("RateLimitPolicy", "s", "Accepted");
  });

  test("what the schema lets through and the controller cannot read is Invalid", async () => {
    await make("Server", "odd", server(70_000));
    expect(JSON.stringify(await reason("Server", "odd", "Invalid"))).toContain("spec.port");
  });

  test("a fault is told that it has ended, by itself", async () => {
    await make("FaultInjection", "short", { ...target("Service", "svc-0"), for: "2s", reset: true });
    await reason("FaultInjection", "short", "Expired");
  });

  test("a duration that is none is refused with what to write", async () => {
    const made = make("FaultInjection", "long", { ...target("Service", "svc-0"), for: "2 s", reset: true });
    const error = await made.then(() => "", (failure: Error) => failure.message);
    expect(error).toContain("spec.for");
    expect(error).toContain("want a duration such as 500ms, 10s, 1m30s or 24h");
  });

  test("a kind that a cluster comes to know, of an older version alone, is told all the same", async () => {
    const type = { ...TYPES.TLSRoute, version: "v1alpha2" };
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await api.client.create(TYPES.CustomResourceDefinition, null, {
      metadata: {
        name: "tlsroutes.gateway.networking.k8s.io",
        annotations: { "api-approved.kubernetes.io": "unapproved, as the group is the API's own" },
      },
      spec: {
        group: type.group,
        scope: "Namespaced",
        names: { kind: type.kind, plural: type.plural },
        versions: [{ name: type.version, served: true, storage: true, schema, subresources: { status: {} } }],
      },
    });
    const parentRefs = [{ group: "", kind: "Service", name: "svc-0", port: 80 }];
    const rules = [{ backendRefs: [{ name: "svc-0", port: 80 }] }];
    const object = {
      metadata: { namespace: NAMESPACE, name: "t" },
      spec: { parentRefs, hostnames: ["a.example"], rules },
    };
    await eventually(async () => await api.client.apply(type, object, "test"), WAIT_MS);
    await eventually(async () => {
      const { status } = await api.client.get(type, NAMESPACE, "t");
      expect(status).toMatchObject({ parents: [{ controllerName: "tulle.dev/mesh-controller" }] });
    }, WAIT_MS);
  });

  test("what has been written is not written again", async () => {
    // A write that changes nothing leaves no trace in the object, so the API server is asked how many there were.
    const writes = async () => {
      const labels = { group: TYPES.Server.group, subresource: "status", verb: "PATCH", code: "200" };
      return sumOf(await api.client.text("/metrics"), "apiserver_request_total", labels);
    };
    const before = await writes();
    // Each object is looked at again in the rounds that these bring about.
    const ports = [1001, 1002, 1003];
    for (const port of ports) {
      await make("Server", `more-${port}`, server(port));
      await reason("Server", `more-${port}`, "Accepted");
    }
    // One each; the one before them may be counted late.
    expect(await writes() - before).toBeLessThanOrEqual(ports.length + 1);
  });

  test("kubectl get has columns for what matters", async () => {
    const table = await api.client.json<
      KubeObject & { columnDefinitions: { name: string; priority: number }[]; rows: { cells: unknown[] }[] }
    >("GET", resourcePath(TYPES.AuthorizationPolicy, NAMESPACE), {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    });
    const shown = table.columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name);
    expect(shown).toEqual(["Name", "Target", "Target Name", "Action", "Mode", "Accepted", "Reason", "Age"]);
    expect(table.rows[0]?.cells.slice(0, 7))
      .toEqual(["early", "Server", "gone", "Allow", "enforce", "False", "TargetNotFound"]);
  });
});
