/** Definitions of our kinds. The controller's decoders are stricter; what both know, the API server says first. */
import { DEFAULT_POLICIES, PROXY_PROTOCOLS } from "../kube/resources.ts";
import { labels, type Manifest } from "./_common.ts";
import { list, object, oneOf, port, portOrName, rule, type Schema, selector, text } from "./_schema.ts";
import { backendPolicySpec, egressSpec, faultSpec, rateLimitSpec } from "./traffic_schemas.ts";
import type { InstallValues } from "./values.ts";

const MAX_ENTRIES = 1024;
const MAX_CONDITIONS = 16;

interface Definition {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly spec: Schema;
  readonly status: Schema;
  /** Columns of kubectl get: name → path, besides whether it is in force and its age. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Whether the controller holds to it, written by the one that has the lease. */
const CONDITIONS = object({
  conditions: {
    ...list(
      object({
        type: text("Accepted; of an AuthorizationPolicy also ResolvedRefs.", { maxLength: 316 }),
        status: oneOf(["True", "False", "Unknown"], null, "Whether it is so."),
        reason: text("Why, in a word: Accepted, Invalid, TargetNotFound, RefNotFound, Conflicted, Expired …", {
          maxLength: 1024,
        }),
        message: text("Why, for people.", { maxLength: 32768 }),
        observedGeneration: { type: "integer", format: "int64", description: "metadata.generation that was judged." },
        lastTransitionTime: text("Since when.", { format: "date-time" }),
      }, ["type", "status", "reason", "message", "lastTransitionTime"]),
      8,
      "Whether it is in force.",
    ),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  },
});

const CIDR = text("A network such as 10.0.0.0/8.", { maxLength: 64 });

function reference(kinds: readonly string[], description: string): Schema {
  return object(
    {
      group: text('API group; "" or "core" for those of Kubernetes itself. That of the kind where it is left out.', {
        maxLength: 253,
      }),
      kind: oneOf(kinds, null, "Kind of the object."),
      name: text("Name of the object.", { minLength: 1, maxLength: 253 }),
      namespace: text("Its namespace; the policy's own where it is left out.", { maxLength: 63 }),
    },
    ["kind", "name"],
    { description },
  );
}

const DEFINITIONS: readonly Definition[] = [
  {
    group: "policy.tulle.dev",
    kind: "Server",
    plural: "servers",
    shortNames: ["srv"],
    columns: { Port: ".spec.port", Protocol: ".spec.proxyProtocol", Access: ".spec.accessPolicy" },
    status: CONDITIONS,
    spec: object(
      {
        podSelector: selector("Pods whose port it is."),
        externalWorkloadSelector: selector("ExternalWorkloads whose port it is."),
        port: portOrName("Number or name of the port."),
        proxyProtocol: oneOf(PROXY_PROTOCOLS, "unknown", "What the port speaks; unknown looks at the first bytes."),
        accessPolicy: oneOf(DEFAULT_POLICIES, "deny", "Who may call where no AuthorizationPolicy says it."),
      },
      ["port"],
      rule(
        "has(self.podSelector) != has(self.externalWorkloadSelector)",
        "want either podSelector or externalWorkloadSelector",
      ),
    ),
  },
  {
    group: "policy.tulle.dev",
    kind: "AuthorizationPolicy",
    plural: "authorizationpolicies",
    shortNames: ["authzpolicy"],
    columns: {
      Target: ".spec.targetRef.kind",
      "Target Name": ".spec.targetRef.name",
      Action: ".spec.action",
      Mode: ".spec.mode",
    },
    status: CONDITIONS,
    spec: object(
      {
        targetRef: reference(["Server", "Namespace", "HTTPRoute", "GRPCRoute"], "What it is about."),
        requiredAuthenticationRefs: list(
          reference(["MeshTLSAuthentication", "NetworkAuthentication", "ServiceAccount"], "One condition."),
          MAX_CONDITIONS,
          "Conditions that must all hold; an empty list holds for everyone.",
        ),
        action: oneOf(["Allow", "Deny"], "Allow", "What it says about those for whom the conditions hold; Deny wins."),
        mode: oneOf(
          ["enforce", "audit"],
          "enforce",
          "audit lets in what the policy would refuse, and counts it as would-deny.",
        ),
      },
      ["targetRef", "requiredAuthenticationRefs"],
    ),
  },
  {
    group: "policy.tulle.dev",
    kind: "MeshTLSAuthentication",
    plural: "meshtlsauthentications",
    shortNames: ["meshtlsauthn"],
    columns: { Identities: ".spec.identities" },
    status: CONDITIONS,
    spec: object(
      {
        identities: list(
          text("A SPIFFE ID, the start of one that ends in *, or * for every identity of the mesh.", {
            maxLength: 2048,
          }),
          MAX_ENTRIES,
          "Identities, any of which will do.",
        ),
        identityRefs: list(
          reference(["ServiceAccount", "Namespace"], "A ServiceAccount, or all of a namespace."),
          MAX_ENTRIES,
          "Whose identities will do.",
        ),
      },
      [],
      rule(
        "(has(self.identities) && size(self.identities) > 0) || (has(self.identityRefs) && size(self.identityRefs) > 0)",
        "want identities or identityRefs",
      ),
    ),
  },
  {
    group: "policy.tulle.dev",
    kind: "NetworkAuthentication",
    plural: "networkauthentications",
    shortNames: ["netauthn"],
    columns: { Networks: ".spec.networks[*].cidr" },
    status: CONDITIONS,
    spec: object(
      {
        networks: {
          ...list(
            object({ cidr: CIDR, except: list(CIDR, MAX_ENTRIES, "Parts of it that do not count; each within it.") }, [
              "cidr",
            ]),
            MAX_ENTRIES,
            "Networks, any of which will do.",
          ),
          minItems: 1,
        },
      },
      ["networks"],
    ),
  },
  {
    group: "policy.tulle.dev",
    kind: "RateLimitPolicy",
    plural: "ratelimitpolicies",
    shortNames: ["ratelimit"],
    columns: {
      Target: ".spec.targetRef.name",
      Total: ".spec.total.requestsPerSecond",
      Identity: ".spec.identity.requestsPerSecond",
    },
    status: CONDITIONS,
    spec: rateLimitSpec(
      reference(["Server", "HTTPRoute", "GRPCRoute"], "The Server, or the route of one, whose requests it limits."),
    ),
  },
  {
    group: "policy.tulle.dev",
    kind: "BackendPolicy",
    plural: "backendpolicies",
    shortNames: ["backend"],
    columns: { Service: ".spec.targetRef.name" },
    status: CONDITIONS,
    spec: backendPolicySpec(reference(["Service"], "The Service whose endpoints it is about.")),
  },
  {
    group: "policy.tulle.dev",
    kind: "EgressNetwork",
    plural: "egressnetworks",
    shortNames: ["egress"],
    columns: { Policy: ".spec.trafficPolicy", Networks: ".spec.networks[*].cidr", Hosts: ".spec.hosts" },
    status: CONDITIONS,
    spec: egressSpec(CIDR),
  },
  {
    group: "policy.tulle.dev",
    kind: "FaultInjection",
    plural: "faultinjections",
    shortNames: ["fault"],
    columns: {
      Target: ".spec.targetRef.kind",
      "Target Name": ".spec.targetRef.name",
      Percent: ".spec.percent",
      Until: ".spec.until",
      For: ".spec.for",
    },
    status: CONDITIONS,
    spec: faultSpec(reference(["Service", "HTTPRoute", "GRPCRoute"], "What it spoils.")),
  },
  {
    group: "workload.tulle.dev",
    kind: "ExternalWorkload",
    plural: "externalworkloads",
    shortNames: ["extwl"],
    columns: { Account: ".spec.serviceAccountName", Address: ".spec.workloadIPs[*].ip" },
    status: object({
      conditions: list({ type: "object", "x-kubernetes-preserve-unknown-fields": true }, 64, "Ready."),
    }),
    spec: object({
      serviceAccountName: text("Account whose identity it has.", { default: "default", maxLength: 253 }),
      meshTLS: object({
        identity: text("SPIFFE ID in place of the account's.", { maxLength: 2048 }),
        serverName: text("Name for TLS.", { maxLength: 253 }),
      }),
      workloadIPs: list(object({ ip: text("An IP address.", { maxLength: 45 }) }, ["ip"]), 256, "Its addresses."),
      ports: list(
        object(
          {
            name: text("Name of the port.", { maxLength: 63 }),
            port: port("Its number."),
            protocol: oneOf(["TCP", "UDP"], "TCP", "Transport."),
            appProtocol: text("What it speaks: http, kubernetes.io/h2c, grpc …", { maxLength: 253 }),
          },
          ["port"],
        ),
        256,
        "Its ports.",
      ),
    }),
  },
];

/** The definitions as objects of the API. */
export function customResourceDefinitions(values: Pick<InstallValues, "version">): Manifest[] {
  return DEFINITIONS.map(({ group, kind, plural, shortNames, spec, status, columns }) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, labels: labels("crd", values) },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames, categories: ["tulle"] },
      versions: [{
        name: "v1alpha1",
        served: true,
        storage: true,
        additionalPrinterColumns: printerColumns(columns, status === CONDITIONS),
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: object({
            apiVersion: { type: "string" },
            kind: { type: "string" },
            metadata: { type: "object" },
            spec,
            status,
          }, ["spec"]),
        },
      }],
    },
  }));
}

function printerColumns(columns: Definition["columns"], hasConditions: boolean): Manifest[] {
  const accepted = (field: string) => `.status.conditions[?(@.type=="Accepted")].${field}`;
  return [
    ...Object.entries(columns).map(([name, jsonPath]) => ({ name, type: "string", jsonPath })),
    ...(hasConditions
      ? [
        { name: "Accepted", type: "string", jsonPath: accepted("status") },
        { name: "Reason", type: "string", jsonPath: accepted("reason") },
        // With -o wide.
        { name: "Message", type: "string", jsonPath: accepted("message"), priority: 1 },
      ]
      : []),
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ];
}
