/** Decoders of Kubernetes' own kinds: Namespace, ServiceAccount, Service, EndpointSlice. */
import type { Reader } from "./_reader.ts";
import { isLabelName, isObjectName, LABEL_NAME_FORM, OBJECT_NAME_FORM, readIp, readMeta, readPort } from "./_meta.ts";
import type { EndpointSlice, Namespace, Service, ServiceAccount, ServicePort } from "./resources.ts";

/** Most ports of a Service and addresses of an EndpointSlice, as Kubernetes limits the latter. */
const MAX_PORTS = 256;
const MAX_SLICE_ENDPOINTS = 1000;
/** Kubernetes' default for sessionAffinity, and its limit. */
const AFFINITY_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;
const TRANSPORTS = ["TCP", "UDP", "SCTP"] as const;

export function readNamespace(root: Reader): Namespace {
  const meta = readMeta(root, false);
  root.ignore("spec", "status");
  return { kind: "Namespace", meta };
}

export function readServiceAccount(root: Reader): ServiceAccount {
  const meta = readMeta(root, true);
  root.ignore("secrets", "imagePullSecrets", "automountServiceAccountToken");
  return { kind: "ServiceAccount", meta };
}

export function readService(root: Reader): Service {
  const meta = readMeta(root, true);
  root.ignore("status");
  const spec = root.object("spec");
  const selector = spec.has("selector") ? spec.textMap("selector") : null;
  const ports = spec.objects("ports", MAX_PORTS, readServicePort);
  if (ports.length > 1) {
    const seen = new Set<string>();
    ports.forEach((port, index) => {
      const at = [...spec.path, "ports", index, "name"];
      if (port.name === "") spec.fail(at, "missing, want a name, because the Service has several ports");
      else if (seen.has(port.name)) {
        spec.fail(at, `found ${JSON.stringify(port.name)} a second time, want different names`);
      }
      seen.add(port.name);
    });
  }
  const type = spec.oneOf("type", ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"], "ClusterIP");
  const { clusterIPs, headless } = readClusterIps(spec);
  const externalName = spec.textOr("externalName", null, "a DNS name");
  const publishNotReadyAddresses = spec.boolOr("publishNotReadyAddresses", false);
  const internalTrafficPolicy = spec.oneOf("internalTrafficPolicy", ["Cluster", "Local"], "Cluster");
  const isAffine = spec.oneOf("sessionAffinity", ["None", "ClientIP"], "None") === "ClientIP";
  const affinityMs = isAffine ? readAffinityMs(spec) : null;
  spec.ignore("sessionAffinityConfig", "externalIPs", "loadBalancerIP", "loadBalancerSourceRanges");
  spec.ignore("loadBalancerClass", "externalTrafficPolicy", "healthCheckNodePort", "ipFamilies");
  spec.ignore("ipFamilyPolicy", "allocateLoadBalancerNodePorts", "trafficDistribution");
  spec.done();
  const external = type === "ExternalName" ? externalName ?? "" : null;
  if (external === "") spec.bad("externalName", "a DNS name, because type is ExternalName");
  if (ports.length === 0 && external === null && !headless) spec.bad("ports", "at least one port");
  return {
    kind: "Service",
    meta,
    selector: selector !== null && Object.keys(selector).length > 0 ? selector : null,
    ports,
    clusterIPs,
    headless,
    externalName: external,
    publishNotReadyAddresses,
    nodeLocal: internalTrafficPolicy === "Local" && !headless,
    affinityMs,
  };
}

function readAffinityMs(spec: Reader): number {
  const clientIp = spec.objectOr("sessionAffinityConfig")?.objectOr("clientIP") ?? null;
  return (clientIp?.intOr("timeoutSeconds", AFFINITY_SECONDS, 1, MAX_AFFINITY_SECONDS) ?? AFFINITY_SECONDS) * 1000;
}

function readServicePort(item: Reader): ServicePort {
  const port = item.int("port", 1, 65535);
  const read: ServicePort = {
    name: item.textOr("name", "", LABEL_NAME_FORM, isLabelName),
    port,
    targetPort: item.has("targetPort") ? readPort(item, "targetPort") : port,
    protocol: item.oneOf("protocol", TRANSPORTS, "TCP"),
    appProtocol: item.textOr("appProtocol", null, "a protocol such as http, grpc or kubernetes.io/h2c"),
  };
  item.ignore("nodePort");
  item.done();
  return read;
}

function readClusterIps(spec: Reader): { clusterIPs: string[]; headless: boolean } {
  const single = spec.raw("clusterIP");
  const headless = single === "None";
  const list = spec.list(
    "clusterIPs",
    2,
    "IP addresses",
    (item, path) => item === "None" ? "" : readIp(spec, item, path),
  );
  const clusterIPs = new Set(list.filter((ip) => ip !== ""));
  if (!headless && single !== undefined && single !== null && single !== "") {
    clusterIPs.add(readIp(spec, single, [...spec.path, "clusterIP"]));
  }
  return { clusterIPs: headless ? [] : [...clusterIPs], headless };
}

export function readEndpointSlice(root: Reader): EndpointSlice {
  const meta = readMeta(root, true);
  if (!root.has("addressType")) root.bad("addressType", "IPv4, IPv6 or FQDN");
  const addressType = root.oneOf("addressType", ["IPv4", "IPv6", "FQDN"], "IPv4");
  const endpoints = root.objects("endpoints", MAX_SLICE_ENDPOINTS, (item) => {
    const addresses = item.list("addresses", 100, "addresses", (value, path) => {
      if (addressType !== "FQDN") return readIp(item, value, path);
      return typeof value === "string" ? value : "";
    });
    if (addresses.length === 0) item.bad("addresses", "at least one address");
    const conditions = item.objectOr("conditions");
    const terminating = conditions?.boolOr("terminating", null) ?? false;
    const ready = conditions?.boolOr("ready", null) ?? true;
    const serving = conditions?.boolOr("serving", null) ?? ready;
    conditions?.done();
    const ref = item.objectOr("targetRef");
    const target = ref === null ? null : {
      group: "",
      kind: ref.textOr("kind", "Pod", "a kind"),
      namespace: ref.textOr("namespace", null, LABEL_NAME_FORM, isLabelName),
      name: ref.text("name", OBJECT_NAME_FORM, isObjectName),
    };
    ref?.ignore("apiVersion", "uid", "resourceVersion", "fieldPath");
    ref?.done();
    const zone = item.textOr("zone", null, "the name of a zone");
    const nodeName = item.textOr("nodeName", "", "the name of a node");
    item.ignore("hostname", "hints", "deprecatedTopology");
    item.done();
    return { addresses, ready, serving, terminating, zone, nodeName, target };
  });
  const ports = root.objects("ports", 100, (item) => {
    const port = {
      name: item.raw("name") === "" ? "" : item.textOr("name", "", LABEL_NAME_FORM, isLabelName),
      port: item.intOr("port", null, 1, 65535),
      protocol: item.oneOf("protocol", TRANSPORTS, "TCP"),
      appProtocol: item.textOr("appProtocol", null, "a protocol such as http, grpc or kubernetes.io/h2c"),
    };
    item.done();
    return port;
  });
  return { kind: "EndpointSlice", meta, addressType, endpoints, ports };
}
