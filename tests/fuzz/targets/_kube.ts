/** YAML of the mesh's kinds, nearly right. */
import type { Random } from "../random.ts";

const META = (name: string, more = "") => `metadata: {name: ${name}, namespace: shop${more}}`;

export const KUBE_SEEDS: readonly string[] = [
  `apiVersion: v1
kind: Service
${META("web", ", annotations: {tulle.dev/opaque-ports: '25,100-200'}")}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080, appProtocol: http}]}
---
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
${META("web", ", labels: {app: web}")}
spec: {serviceAccountName: web, workloadIPs: [{ip: 10.0.0.1}], ports: [{name: http, port: 8080}]}
`,
  `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
${META("r")}
spec:
  parentRefs: [{group: "", kind: Service, name: web, port: 80}]
  hostnames: ["*.shop"]
  rules:
  - matches: [{path: {type: RegularExpression, value: "/a.*"}, headers: [{name: x-a, value: b}], method: GET}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}], remove: [x-b]}}]
    backendRefs: [{name: web, port: 80, weight: 1}]
    timeouts: {request: 1s, backendRequest: 500ms}
---
apiVersion: v1
kind: Service
${META("web")}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}
`,
  `apiVersion: policy.tulle.dev/v1alpha1
kind: Server
${META("s")}
spec: {externalWorkloadSelector: {matchLabels: {app: web}}, port: 8080, proxyProtocol: HTTP/1}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: AuthorizationPolicy
${META("p")}
spec:
  targetRef: {group: policy.tulle.dev, kind: Server, name: s}
  requiredAuthenticationRefs: [{group: policy.tulle.dev, kind: MeshTLSAuthentication, name: m}]
---
apiVersion: policy.tulle.dev/v1alpha1
kind: MeshTLSAuthentication
${META("m")}
spec: {identities: ["*"], identityRefs: [{kind: ServiceAccount, name: web}]}
---
apiVersion: policy.tulle.dev/v1alpha1
kind: NetworkAuthentication
${META("n")}
spec: {networks: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}
---
apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
${META("web", ", labels: {app: web}")}
spec: {serviceAccountName: web, workloadIPs: [{ip: 10.0.0.1}], ports: [{name: http, port: 8080}], run: {replicas: 2, command: [a]}}
`,
  `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
${META("g")}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules: [{matches: [{method: {service: a.B, method: C}}], backendRefs: [{name: web, port: 80}]}]
`,
  `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
${META("e", ", labels: {kubernetes.io/service-name: web}")}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.7], conditions: {ready: true}, zone: a}]
`,
];

const VALUES = [
  ...[
    "80",
    "0",
    "65536",
    "-1",
    "1.5",
    "8080",
    "http",
    "''",
    "null",
    "true",
    "[]",
    "{}",
    "[[]]",
    "10.0.0.1",
    "::1",
    "10.0.0.0/8",
  ],
  ...[
    "1s",
    "1h",
    "-1s",
    "abc",
    "'*'",
    "'(?i)a'",
    "'(a+)+'",
    "'['",
    "web",
    "shop",
    "!!binary a",
    "&x y",
    "*x",
    "1e9",
    "0x10",
    "'\\0'",
  ],
];
const KEYS = [
  ...[
    "name",
    "namespace",
    "port",
    "targetPort",
    "ports",
    "spec",
    "kind",
    "weight",
    "value",
    "type",
    "path",
    "regex",
    "annotations",
  ],
  ...[
    "tulle.dev/inject",
    "tulle.dev/default-inbound-policy",
    "tulle.dev/opaque-ports",
    "__proto__",
    "constructor",
    "clusterIP",
  ],
  ...[
    "retry",
    "timeout.tulle.dev/request",
    "retry.tulle.dev/http",
    "appProtocol",
    "selector",
    "hostnames",
    "replicas",
    "ip",
  ],
];

export const KUBE_TOKENS: readonly string[] = [
  ...VALUES.map((value) => `: ${value}\n`),
  ...KEYS.map((key) => `${key}: `),
  "---\n",
  "  - ",
  "<<: *x",
];

/** A seed, or several, with values and keys exchanged. */
export function kubeYaml(random: Random): string {
  const text = Array.from({ length: random.between(1, 2) }, () => random.pick(KUBE_SEEDS)).join("---\n");
  const every = random.between(4, 40);
  return text.replace(/(?<=: )[\w./"*'-]+|(?<=[{ ,])[a-zA-Z.]+(?=: )/g, (found) => {
    if (!random.oneIn(every)) return found;
    return random.pick(/^[a-z]/.test(found) && random.oneIn(2) ? KEYS : VALUES);
  });
}
