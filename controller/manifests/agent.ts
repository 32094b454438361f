/** The node's agent: a DaemonSet that brings the CNI plugin. */
import { basename } from "node:path";
import { AGENT, AGENT_ADMIN_PORT, AGENT_SOCKET, MESH_NAMESPACE } from "../core/cluster_names.ts";
import { binding, clusterWide, httpProbe, labels, type Manifest, namespaced, resources, selector } from "./_common.ts";
import type { InstallValues } from "./values.ts";

const RBAC = "rbac.authorization.k8s.io/v1";
const CLUSTER_ROLE = "tulle-cni";
/** Longest time to take the plugin out again, seconds. */
const GRACE_SECONDS = 20;

/** All objects of the agent. */
export function agentManifests(values: InstallValues): Manifest[] {
  return [
    namespaced("v1", "ServiceAccount", AGENT, AGENT, values, {}),
    clusterWide(RBAC, "ClusterRole", CLUSTER_ROLE, AGENT, values, {
      rules: [
        { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
        { apiGroups: [""], resources: ["events"], verbs: ["create"] },
        // At its end it looks whether the mesh goes for good.
        { apiGroups: [""], resources: ["namespaces"], resourceNames: [MESH_NAMESPACE], verbs: ["get"] },
      ],
    }),
    clusterWide(RBAC, "ClusterRoleBinding", CLUSTER_ROLE, AGENT, values, binding("ClusterRole", CLUSTER_ROLE, AGENT)),
    namespaced(RBAC, "Role", AGENT, AGENT, values, {
      rules: [{ apiGroups: ["apps"], resources: ["daemonsets"], resourceNames: [AGENT], verbs: ["get"] }],
    }),
    namespaced(RBAC, "RoleBinding", AGENT, AGENT, values, binding("Role", AGENT, AGENT)),
    daemonSet(values),
  ];
}

function daemonSet(values: InstallValues): Manifest {
  return namespaced("apps/v1", "DaemonSet", AGENT, AGENT, values, {
    spec: {
      selector: { matchLabels: selector(AGENT) },
      updateStrategy: { rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: {
          labels: labels(AGENT, values),
          annotations: {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": String(AGENT_ADMIN_PORT),
            "prometheus.io/path": "/metrics",
          },
        },
        spec: {
          serviceAccountName: AGENT,
          priorityClassName: values.agentPriorityClass,
          // It must run before any pod of the node's network, and on nodes that are not ready for want of one.
          hostNetwork: true,
          hostPID: true,
          tolerations: [{ operator: "Exists" }],
          terminationGracePeriodSeconds: GRACE_SECONDS,
          containers: [container(values)],
          volumes: [
            hostPath("cni-bin", values.cniBinDir),
            hostPath("cni-conf", values.cniConfDir),
            hostPath("run", values.agentSocketDir),
          ],
        },
      },
    },
  });
}

function container(values: InstallValues): Manifest {
  return {
    name: AGENT,
    image: values.image,
    imagePullPolicy: values.imagePullPolicy,
    args: [
      "agent",
      "--cni-bin-dir=/host/cni-bin",
      "--cni-conf-dir=/host/cni-conf",
      `--socket=${values.agentSocketDir}/${basename(AGENT_SOCKET)}`,
      `--admin=0.0.0.0:${AGENT_ADMIN_PORT}`,
      `--log-level=${values.logLevel}`,
    ],
    env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } }],
    ports: [{ name: "admin", containerPort: AGENT_ADMIN_PORT }],
    readinessProbe: httpProbe("/ready", AGENT_ADMIN_PORT, 2, 3),
    livenessProbe: httpProbe("/live", AGENT_ADMIN_PORT, 10, 6),
    resources: resources(values.agentResources),
    securityContext: {
      runAsUser: 0,
      readOnlyRootFilesystem: true,
      // Enters namespaces of pods (SYS_ADMIN, SYS_PTRACE) and writes their rules (NET_ADMIN).
      capabilities: { drop: ["ALL"], add: ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "DAC_OVERRIDE"] },
    },
    volumeMounts: [
      { name: "cni-bin", mountPath: "/host/cni-bin" },
      { name: "cni-conf", mountPath: "/host/cni-conf" },
      { name: "run", mountPath: values.agentSocketDir },
    ],
  };
}

function hostPath(name: string, path: string): Manifest {
  return { name, hostPath: { path, type: "DirectoryOrCreate" } };
}
