/** The Gateway API on a cluster: its conformance suite for a mesh, and what routes are told about themselves. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { TYPES } from "../../controller/api/resource_type.ts";
import { CLUSTER, runSuiteOn } from "../conformance/gateway_api/gateway_api.ts";
import { eventually } from "../support/eventually.ts";
import { Cluster } from "./support/cluster.ts";
import { installMesh, READY_TIMEOUT_MS } from "./support/mesh.ts";
import { TEST_BED } from "./support/test_bed.ts";

setDefaultTimeout(4 * 60_000);

/** Tests that the suite has for a mesh at the version of the test bed, all of which the mesh claims to pass. */
const TESTS = 22;

describe.skipIf(TEST_BED === null)("the Gateway API", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(CLUSTER);
    await installMesh(cluster);
  });
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  test("every test of its profiles for a mesh passes", async () => {
    const { failures, passed } = await runSuiteOn(cluster, TEST_BED ?? "");
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(TESTS);
  }, 7 * 60_000);

  test("the status of a route follows what it refers to", async () => {
    const service = (name: string) =>
      `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {ports: [{port: 80}]}
`;
    await cluster.apply(`${service("web")}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: default}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 80}]
  rules: [{backendRefs: [{name: v2, port: 80}]}]
`);
    expect(await conditions("Accepted True Accepted, ResolvedRefs False BackendNotFound")).toBe(1);
    await cluster.apply(service("v2"));
    await conditions("Accepted True Accepted, ResolvedRefs True ResolvedRefs");
    await cluster.kubectl(["delete", "service", "v2"]);
    await conditions("Accepted True Accepted, ResolvedRefs False BackendNotFound");
    await cluster.kubectl(["delete", "service", "web"]);
    await conditions("Accepted False NoMatchingParent, ResolvedRefs False BackendNotFound");
  });

  async function route() {
    return await cluster.client.get(TYPES.HTTPRoute, "default", "r");
  }

  /** Waits for conditions of the route's parent. @returns the generation that they are about */
  async function conditions(wanted: string): Promise<number> {
    return await eventually(async () => {
      const { parents = [] } = ((await route())["status"] ?? {}) as {
        parents?: { controllerName: string; conditions: Record<string, string | number>[] }[];
      };
      const [own] = parents.filter(({ controllerName }) => controllerName === "tulle.dev/mesh-controller");
      const said = own?.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`).join(", ");
      if (said !== wanted) throw new Error(`found ${said}, want ${wanted}`);
      return Number(own?.conditions[0]?.["observedGeneration"]);
    }, READY_TIMEOUT_MS);
  }
});
