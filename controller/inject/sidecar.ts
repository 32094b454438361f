/** The sidecar's container and volumes. Pure. */
import { RUNTIME_OPTIONS } from "../../src/base/runtime_options.ts";
import {
  BUNDLE_CONFIG_MAP,
  BUNDLE_KEY,
  BUNDLE_MOUNT,
  BUNDLE_VOLUME,
  CONTROL_PORT,
  CONTROLLER,
  EGRESS_DNS_ENV,
  MESH_NAMESPACE,
  PROXY_UID,
  SIDECAR_CONTAINER,
  STATE_MOUNT,
  STATE_VOLUME,
  TOKEN_AUDIENCE,
  TOKEN_MOUNT,
  TOKEN_VOLUME,
} from "../core/cluster_names.ts";
import { ADMIN_PORT } from "../core/sidecar_ports.ts";
import type { Container, Json } from "./pod.ts";
import type { ProxiedProbe } from "./probes.ts";
import type { SidecarSettings } from "./settings.ts";

/** Life of the token, seconds: the kubelet renews it at 80 %; it is used once a day. */
const TOKEN_SECONDS = 3600;
/** Largest state kept over a restart of the container: certificate and last good snapshots. */
const STATE_LIMIT = "16Mi";
/** How long the sidecar may take until it is ready, seconds: the controller itself may just be starting. */
const STARTUP_SECONDS = 300;

/** Where the sidecar's program stands in its image. */
const PROGRAM = "/usr/local/bin/tulle";

/** The container, to be the first of the init containers. */
export function sidecarContainer(settings: SidecarSettings, probes: readonly ProxiedProbe[]): Container {
  return {
    name: SIDECAR_CONTAINER,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    args: ["proxy"],
    // A sidecar of Kubernetes: it starts before the others, outlives them, and does not keep a Job from ending.
    restartPolicy: "Always",
    env: environment(settings, probes),
    ports: [{ name: "tulle-admin", containerPort: ADMIN_PORT, protocol: "TCP" }],
    startupProbe: httpProbe("/ready", 1, STARTUP_SECONDS),
    readinessProbe: httpProbe("/ready", 5, 3),
    livenessProbe: httpProbe("/live", 10, 6),
    lifecycle: { preStop: { exec: { command: [PROGRAM, "proxy", "drain"] } } },
    resources: resources(settings),
    securityContext: {
      runAsUser: PROXY_UID,
      runAsGroup: PROXY_UID,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: TOKEN_MOUNT, readOnly: true },
      { name: BUNDLE_VOLUME, mountPath: BUNDLE_MOUNT, readOnly: true },
      { name: STATE_VOLUME, mountPath: STATE_MOUNT },
    ],
  };
}

/** Its volumes. */
export function sidecarVolumes(): Json[] {
  return [
    {
      name: TOKEN_VOLUME,
      projected: {
        sources: [{
          serviceAccountToken: { path: "token", audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS },
        }],
      },
    },
    { name: BUNDLE_VOLUME, configMap: { name: BUNDLE_CONFIG_MAP } },
    // In memory: the private key must not reach a disk.
    { name: STATE_VOLUME, emptyDir: { medium: "Memory", sizeLimit: STATE_LIMIT } },
  ];
}

function environment(settings: SidecarSettings, probes: readonly ProxiedProbe[]): Json[] {
  const env: Json[] = [
    fromField("TULLE_WORKLOAD_NAMESPACE", "metadata.namespace"),
    fromField("TULLE_WORKLOAD_NAME", "metadata.name"),
    fromField("TULLE_WORKLOAD_ADDRESSES", "status.podIPs"),
    { name: "TULLE_CONTROLLER_ADDRESS", value: `${CONTROLLER}.${MESH_NAMESPACE}.svc:${CONTROL_PORT}` },
    { name: "TULLE_TRUST_BUNDLE_FILE", value: `${BUNDLE_MOUNT}/${BUNDLE_KEY}` },
    { name: "TULLE_TOKEN_FILE", value: `${TOKEN_MOUNT}/token` },
    { name: "TULLE_STATE_DIR", value: STATE_MOUNT },
    { name: "TULLE_CAPTURE", value: "required" },
    { name: "TULLE_LOG_LEVEL", value: settings.logLevel },
    { name: "TULLE_ACCESS_LOG", value: settings.accessLog },
    { name: "TULLE_DRAIN_GRACE", value: settings.drainGrace },
    ...Object.entries(RUNTIME_OPTIONS).map(([name, value]) => ({ name, value })),
  ];
  if (settings.workers > 1) env.push({ name: "TULLE_WORKERS", value: String(settings.workers) });
  if (settings.egressDns !== "off") env.push({ name: EGRESS_DNS_ENV, value: settings.egressDns });
  if (settings.adminAllow !== "") env.push({ name: "TULLE_ADMIN_ALLOW", value: settings.adminAllow });
  if (probes.length > 0) env.push({ name: "TULLE_PROBES", value: probes.join(",") });
  return env;
}

function fromField(name: string, fieldPath: string): Json {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

function httpProbe(path: string, periodSeconds: number, failureThreshold: number): Json {
  return { httpGet: { path, port: ADMIN_PORT }, periodSeconds, failureThreshold, timeoutSeconds: 2 };
}

function resources({ cpuRequest, cpuLimit, memoryRequest, memoryLimit }: SidecarSettings): Json {
  const requests = quantities(cpuRequest, memoryRequest);
  const limits = quantities(cpuLimit, memoryLimit);
  return { ...(requests === null ? {} : { requests }), ...(limits === null ? {} : { limits }) };
}

function quantities(cpu: string | null, memory: string | null): Json | null {
  if (cpu === null && memory === null) return null;
  return { ...(cpu === null ? {} : { cpu }), ...(memory === null ? {} : { memory }) };
}
