/** The controller: its rights, its pods, its Services. */
import {
  BUNDLE_CONFIG_MAP,
  CONTROL_PORT,
  CONTROLLER,
  CONTROLLER_ADMIN_PORT,
  EXTRA_ROOTS_CONFIG_MAP,
  INJECT_WEBHOOK,
  ISSUER_SECRET,
  PROXY_UID,
  RETIRED_ROOTS_CONFIG_MAP,
  VALIDATE_WEBHOOK,
  WEBHOOK_PORT,
  WEBHOOK_SERVICE,
  WRITER_LEASE,
} from "../core/cluster_names.ts";
import { TYPES } from "../api/resource_type.ts";
import { POLICY_KINDS } from "../kube/resources.ts";
import { binding, clusterWide, httpProbe, labels, type Manifest, namespaced, resources, selector } from "./_common.ts";
import type { InstallValues } from "./values.ts";

const RBAC = "rbac.authorization.k8s.io/v1";
const READ = ["get", "list", "watch"];
const CLUSTER_ROLE = "tulle-controller";

/** All objects of the controller. */
export function controllerManifests(values: InstallValues): Manifest[] {
  return [
    namespaced("v1", "ServiceAccount", CONTROLLER, CONTROLLER, values, {}),
    clusterWide(RBAC, "ClusterRole", CLUSTER_ROLE, CONTROLLER, values, { rules: clusterRules() }),
    clusterWide(
      RBAC,
      "ClusterRoleBinding",
      CLUSTER_ROLE,
      CONTROLLER,
      values,
      binding("ClusterRole", CLUSTER_ROLE, CONTROLLER),
    ),
    namespaced(RBAC, "Role", CONTROLLER, CONTROLLER, values, { rules: ownRules() }),
    namespaced(RBAC, "RoleBinding", CONTROLLER, CONTROLLER, values, binding("Role", CONTROLLER, CONTROLLER)),
    namespaced("v1", "Service", CONTROLLER, CONTROLLER, values, {
      spec: {
        selector: selector(CONTROLLER),
        ports: [
          { name: "control", port: CONTROL_PORT, targetPort: "control", appProtocol: "https" },
          { name: "admin", port: CONTROLLER_ADMIN_PORT, targetPort: "admin", appProtocol: "http" },
        ],
      },
    }),
    namespaced("v1", "Service", WEBHOOK_SERVICE, CONTROLLER, values, {
      spec: {
        selector: selector(CONTROLLER),
        ports: [{ name: "webhook", port: 443, targetPort: "webhook", appProtocol: "https" }],
      },
    }),
    deployment(values),
    ...(values.controllerReplicas > 1 ? [disruptionBudget(values)] : []),
  ];
}

/** Reads the world; writes trust bundles, events and the status of what it reads, and nothing else outside its own namespace. */
function clusterRules(): Manifest[] {
  return [
    { apiGroups: [""], resources: ["pods", "services", "namespaces"], verbs: READ },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
    {
      apiGroups: ["gateway.networking.k8s.io"],
      resources: ["httproutes", "grpcroutes", "tcproutes", "tlsroutes", "referencegrants"],
      verbs: READ,
    },
    {
      apiGroups: ["gateway.networking.k8s.io"],
      resources: ["httproutes/status", "grpcroutes/status", "tcproutes/status", "tlsroutes/status"],
      verbs: ["patch", "update"],
    },
    { apiGroups: ["policy.tulle.dev", "workload.tulle.dev"], resources: ["*"], verbs: READ },
    // Their names and no more: kinds that are defined after the mesh was installed are followed at once.
    { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: ["list", "watch"] },
    {
      apiGroups: ["policy.tulle.dev"],
      resources: POLICY_KINDS.map((kind) => `${TYPES[kind].plural}/status`),
      verbs: ["patch"],
    },
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create"] },
    // A list and its watch cannot be limited to a name; writing can, but for the creation.
    { apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch", "create"] },
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [BUNDLE_CONFIG_MAP],
      verbs: ["get", "patch", "update"],
    },
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
      verbs: ["list", "watch"],
    },
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
      resourceNames: [INJECT_WEBHOOK, VALIDATE_WEBHOOK],
      verbs: ["get", "update"],
    },
  ];
}

/** In its own namespace: the issuer, further roots, and the lease. */
function ownRules(): Manifest[] {
  return [
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames: [ISSUER_SECRET], verbs: READ },
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [EXTRA_ROOTS_CONFIG_MAP], verbs: READ },
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [RETIRED_ROOTS_CONFIG_MAP],
      verbs: ["get", "patch"],
    },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [WRITER_LEASE],
      verbs: ["get", "update"],
    },
  ];
}

function deployment(values: InstallValues): Manifest {
  const podLabels = { ...labels(CONTROLLER, values) };
  return namespaced("apps/v1", "Deployment", CONTROLLER, CONTROLLER, values, {
    spec: {
      replicas: values.controllerReplicas,
      selector: { matchLabels: selector(CONTROLLER) },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: podLabels,
          annotations: {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": String(CONTROLLER_ADMIN_PORT),
            "prometheus.io/path": "/metrics",
          },
        },
        spec: {
          serviceAccountName: CONTROLLER,
          priorityClassName: values.controllerPriorityClass,
          nodeSelector: values.controllerNodeSelector,
          tolerations: values.controllerTolerations,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          topologySpreadConstraints: [{
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: selector(CONTROLLER) },
          }],
          containers: [container(values)],
        },
      },
    },
  });
}

function container(values: InstallValues): Manifest {
  return {
    name: CONTROLLER,
    image: values.image,
    imagePullPolicy: values.imagePullPolicy,
    args: controllerArgs(values),
    ports: [
      { name: "control", containerPort: CONTROL_PORT },
      { name: "webhook", containerPort: WEBHOOK_PORT },
      { name: "admin", containerPort: CONTROLLER_ADMIN_PORT },
    ],
    startupProbe: httpProbe("/live", CONTROLLER_ADMIN_PORT, 1, 60),
    readinessProbe: httpProbe("/ready", CONTROLLER_ADMIN_PORT, 2, 3),
    livenessProbe: httpProbe("/live", CONTROLLER_ADMIN_PORT, 10, 6),
    resources: resources(values.controllerResources),
    securityContext: {
      runAsUser: PROXY_UID,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    },
  };
}

function controllerArgs(values: InstallValues): string[] {
  const args = [
    "controller",
    "--kubernetes",
    `--listen=[::]:${CONTROL_PORT}`,
    `--admin=[::]:${CONTROLLER_ADMIN_PORT}`,
    `--webhook=[::]:${WEBHOOK_PORT}`,
    `--trust-domain=${values.trustDomain}`,
    `--cluster-domain=${values.clusterDomain}`,
    `--default-inbound-policy=${values.defaultInboundPolicy}`,
    `--log-level=${values.logLevel}`,
    `--sidecar=tulle.dev/proxy-image=${values.image}`,
    `--sidecar=tulle.dev/proxy-image-pull-policy=${values.imagePullPolicy}`,
  ];
  if (values.clusterNetworks !== "") args.push(`--cluster-networks=${values.clusterNetworks}`);
  if (!values.createIssuer) args.push("--no-create-issuer");
  // Sorted, as Helm does it.
  for (const [key, value] of Object.entries(values.sidecar).sort(([a], [b]) => a < b ? -1 : 1)) {
    args.push(`--sidecar=${key}=${value}`);
  }
  return args;
}

function disruptionBudget(values: InstallValues): Manifest {
  return namespaced("policy/v1", "PodDisruptionBudget", CONTROLLER, CONTROLLER, values, {
    spec: { maxUnavailable: 1, selector: { matchLabels: selector(CONTROLLER) } },
  });
}
