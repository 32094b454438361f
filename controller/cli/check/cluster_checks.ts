/** Whether a cluster can carry the mesh: before an install, and after. */
import { errorText } from "../../../src/base/error.ts";
import type { KubeClient } from "../../api/client.ts";
import { TYPES } from "../../api/resource_type.ts";
import { Section } from "./finding.ts";

/** First version whose pods start and end native sidecars by default. */
const MIN_MINOR = 29;

/** With an error when the cluster cannot be reached or used: nothing else can be said then. @param isBefore an install */
export async function checkCluster(client: KubeClient, isBefore: boolean): Promise<Section> {
  const section = new Section("cluster");
  const { server, context } = client.target;
  try {
    const version = JSON.parse(await client.text("/version")) as {
      major?: string;
      minor?: string;
      gitVersion?: string;
    };
    section.ok(
      "the API server answers",
      `${server} (context ${context}), ${version.gitVersion ?? "of an unknown version"}`,
    );
    const minor = Number.parseInt(version.minor ?? "", 10);
    if (version.major === "1" && minor < MIN_MINOR) {
      section.fail(
        "native sidecars",
        `Kubernetes 1.${minor} has none`,
        `upgrade to 1.${MIN_MINOR} or later: the sidecar is an init container that keeps running`,
      );
    } else section.ok("native sidecars");
  } catch (error) {
    section.fail(
      "the API server answers",
      `${server}: ${errorText(error)}`,
      "check --kubeconfig and --context: kubectl cluster-info",
    );
    return section;
  }
  await section.attempt("nodes are ready", () => checkNodes(client, section), undefined);
  await section.attempt("the Gateway API's kinds are there", () => checkGatewayApi(client, section), undefined);
  if (isBefore) await checkRights(client, section);
  return section;
}

async function checkNodes(client: KubeClient, section: Section): Promise<void> {
  const nodes = await client.list(TYPES.Node, null);
  const unready = nodes.filter((node) => {
    const { conditions = [] } = (node["status"] ?? {}) as {
      conditions?: readonly { type?: string; status?: string }[];
    };
    return !conditions.some(({ type, status }) => type === "Ready" && status === "True");
  });
  if (unready.length === 0) return section.ok("nodes are ready", String(nodes.length));
  const names = unready.map((node) => node.metadata.name).join(", ");
  section.warn("nodes are ready", `not ready: ${names}`, `kubectl describe node ${unready[0]?.metadata.name}`);
}

async function checkGatewayApi(client: KubeClient, section: Section): Promise<void> {
  const found = await client.find(TYPES.CustomResourceDefinition, null, "httproutes.gateway.networking.k8s.io");
  if (found !== null) return section.ok("the Gateway API's kinds are there");
  section.warn(
    "the Gateway API's kinds are there",
    "HTTPRoute is not defined: the mesh works without routes",
    "install the Gateway API's standard channel, 1.1 or later, to use routes",
  );
}

/** What an install creates that a user may not be allowed to. */
const NEEDED = [
  { group: "", resource: "namespaces" },
  { group: "rbac.authorization.k8s.io", resource: "clusterroles" },
  { group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
  { group: "apiextensions.k8s.io", resource: "customresourcedefinitions" },
  { group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations" },
  { group: "apps", resource: "daemonsets" },
] as const;

async function checkRights(client: KubeClient, section: Section): Promise<void> {
  const missing: string[] = [];
  for (const { group, resource } of NEEDED) {
    const review = await client.json<{ status?: { allowed?: boolean } }>(
      "POST",
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      {
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { group, resource, verb: "create" } },
        },
      },
    );
    if (review.status?.allowed !== true) missing.push(resource);
  }
  if (missing.length === 0) section.ok("you may install");
  else {section.fail(
      "you may install",
      `you may not create ${missing.join(", ")}`,
      "use a context with the role cluster-admin",
    );}
}
