/**
 * Names by which the parts of the mesh find each other in a cluster. The injector, the controller, the agent, the manifests
 * and the command line agree on them here; a change is a change of the installed mesh.
 */

/** Namespace of the control plane; the controller's identity is `ns/tulle/sa/controller` of the trust domain. */
export const MESH_NAMESPACE = "tulle";
export const CONTROLLER = "controller";
/** Service and Deployment port that proxies connect to. */
export const CONTROL_PORT = 8086;
/** /metrics /ready /live /config of the controller. */
export const CONTROLLER_ADMIN_PORT = 9990;
/** Service in front of the admission webhook, and the port of the pod behind it. */
export const WEBHOOK_SERVICE = "webhook";
export const WEBHOOK_PORT = 8443;
export const INJECT_PATH = "/inject";
export const VALIDATE_PATH = "/validate";
/** Names of the webhook configurations; cluster-wide objects carry the mesh's name. */
export const INJECT_WEBHOOK = "tulle-inject";
export const VALIDATE_WEBHOOK = "tulle-validate";

/** Secret (type kubernetes.io/tls, so that cert-manager can own it) with the issuer: `tls.crt`, `tls.key`, `ca.crt`. */
export const ISSUER_SECRET = "issuer";
/** ConfigMap of the mesh namespace that the user or a rotation fills with further roots (key `roots.pem`). */
export const EXTRA_ROOTS_CONFIG_MAP = "trust-roots";
/** ConfigMap of the mesh namespace in which controllers keep the roots that signed before, while leaves of theirs live. */
export const RETIRED_ROOTS_CONFIG_MAP = "retired-roots";
/** ConfigMap that the controller keeps current in each namespace with meshed pods; key BUNDLE_KEY. */
export const BUNDLE_CONFIG_MAP = "tulle-trust-bundle";
export const BUNDLE_KEY = "trust-bundle.pem";

/** Leases in the mesh namespace: whoever holds one is the only writer of what it names. */
export const WRITER_LEASE = "controller-writer";

/** Who writes the status of routes (`controllerName` of the Gateway API). */
export const ROUTE_CONTROLLER = "tulle.dev/mesh-controller";

/** DaemonSet that installs the plugin and repairs pods. */
export const AGENT = "cni";
/** Socket of the agent on the node, where the plugin asks which pods are meshed. */
export const AGENT_SOCKET = "/run/tulle/cni.sock";
/** Port of the agent on its node: /metrics, /ready, /live. */
export const AGENT_ADMIN_PORT = 9991;
/** Where a new issuer waits for its turn while the root is exchanged. */
export const NEXT_ISSUER_SECRET = "issuer-next";
/** Name of the plugin's type in a CNI configuration list, and of its executable. */
export const CNI_PLUGIN = "tulle-cni";

/** The sidecar's container, an init container with `restartPolicy: Always`, the first of the pod. */
/** Tells the sidecar, and by it the node's agent, whether names are pinned. */
export const EGRESS_DNS_ENV = "TULLE_EGRESS_DNS";
export const SIDECAR_CONTAINER = "tulle-proxy";
/** Volumes of an injected pod and where the sidecar sees them. */
export const TOKEN_VOLUME = "tulle-token";
export const TOKEN_MOUNT = "/var/run/tulle/token";
export const BUNDLE_VOLUME = "tulle-trust-bundle";
export const BUNDLE_MOUNT = "/var/run/tulle/trust";
export const STATE_VOLUME = "tulle-state";
export const STATE_MOUNT = "/var/run/tulle/state";
/** Audience of the projected token and of its review: no other service accepts it, and we accept no other. */
export const TOKEN_AUDIENCE = "identity.tulle.dev";

/** On namespaces and pods: "enabled" asks for a sidecar, "disabled" wants none. */
export const INJECT_ANNOTATION = "tulle.dev/inject";
/** Written by the injector: the version of the sidecar, "1" for the form of this annotation. */
export const INJECTED_ANNOTATION = "tulle.dev/injected";
/** On a pod that should have had a sidecar and could not: why, where the pod is looked at. */
export const REFUSED_ANNOTATION = "tulle.dev/not-injected";
/** Label on injected pods, for selectors of PodMonitors and of people. */
export const MESHED_LABEL = "tulle.dev/meshed";
/** Label on namespaces and objects of the control plane: no webhook ever sees them. */
export const CONTROL_PLANE_LABEL = "tulle.dev/control-plane";

/** User of the sidecar; capture exempts it, and no other container of a pod may run as it. */
export const PROXY_UID = 2102;
