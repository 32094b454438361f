/** Every annotation of the mesh: what it says and where it may stand. A key under tulle.dev that is not here is a slip. */

/** What an annotation may stand on; a namespace's holds for its workloads and Services unless they say otherwise. */
export type Place = "namespace" | "workload" | "service" | "route";

export interface Annotation {
  readonly key: string;
  readonly places: readonly Place[];
  /** Form of the value, for messages. */
  readonly form: string;
  readonly help: string;
}

const WORKLOAD: readonly Place[] = ["namespace", "workload"];
const TRAFFIC: readonly Place[] = ["service", "route"];
const PORTS = "ports and ranges such as 25,7000-7010";
const QUANTITY = "a quantity of Kubernetes such as 100m or 64Mi";
const DURATION = "a duration such as 500ms, 10s or 1m30s";

function annotation(key: string, places: readonly Place[], form: string, help: string): Annotation {
  return { key, places, form, help };
}

export const ANNOTATIONS: readonly Annotation[] = [
  annotation("tulle.dev/inject", WORKLOAD, "enabled or disabled", "Whether pods get a sidecar."),
  annotation("tulle.dev/injected", ["workload"], "written by the injector", "Version of the sidecar in the pod."),
  annotation(
    "tulle.dev/not-injected",
    ["workload"],
    "written by the injector",
    "Why the pod has no sidecar although it asks for one.",
  ),
  annotation(
    "tulle.dev/optional",
    ["workload"],
    "true or false",
    "A workload that `tulle up` runs is left out where its program is not installed.",
  ),
  annotation("tulle.dev/skip-inbound-ports", WORKLOAD, PORTS, "Connections to these ports do not pass the sidecar."),
  annotation("tulle.dev/skip-outbound-ports", WORKLOAD, PORTS, "Connections to these ports leave as they are."),
  annotation(
    "tulle.dev/skip-subnets",
    WORKLOAD,
    "networks such as 10.0.0.0/8,fd00::/8",
    "Connections to these networks leave as they are.",
  ),
  annotation(
    "tulle.dev/opaque-ports",
    [...WORKLOAD, "service"],
    "ports, ranges and names of ports, between commas",
    "Bytes of these ports are carried as they are.",
  ),
  annotation(
    "tulle.dev/default-inbound-policy",
    WORKLOAD,
    "all-unauthenticated, all-authenticated, cluster-unauthenticated, cluster-authenticated, deny or audit",
    "Who may call where no policy says it.",
  ),
  annotation(
    "tulle.dev/default-egress-policy",
    ["namespace"],
    "allow or deny",
    "Whether workloads may leave the mesh where no EgressNetwork says it.",
  ),
  annotation(
    "tulle.dev/egress-dns",
    WORKLOAD,
    "off or pinned",
    "pinned: names of EgressNetworks admit to addresses alone that the pod's nameserver gave for them.",
  ),
  annotation(
    "tulle.dev/nameservers",
    WORKLOAD,
    "IP addresses, between commas",
    "Nameservers of a workload that `tulle up` runs; a pod has those of its cluster.",
  ),
  annotation("tulle.dev/proxy-image", WORKLOAD, "an image such as example.org/tulle:1.2.3", "Image of the sidecar."),
  annotation(
    "tulle.dev/proxy-image-pull-policy",
    WORKLOAD,
    "Always, IfNotPresent or Never",
    "When the sidecar's image is pulled.",
  ),
  annotation("tulle.dev/proxy-cpu-request", WORKLOAD, QUANTITY, "CPU that is set aside for the sidecar."),
  annotation("tulle.dev/proxy-cpu-limit", WORKLOAD, QUANTITY, "Most CPU of the sidecar."),
  annotation("tulle.dev/proxy-memory-request", WORKLOAD, QUANTITY, "Memory that is set aside for the sidecar."),
  annotation("tulle.dev/proxy-memory-limit", WORKLOAD, QUANTITY, "Most memory of the sidecar."),
  annotation("tulle.dev/proxy-log-level", WORKLOAD, "debug, info, warn or error", "Least level that the sidecar logs."),
  annotation("tulle.dev/access-log", WORKLOAD, "off or json", "A line for each request on the sidecar's output."),
  annotation(
    "tulle.dev/proxy-drain-grace",
    WORKLOAD,
    `${DURATION}, at most 10m`,
    "How long requests under way may take once the pod ends.",
  ),
  annotation("tulle.dev/proxy-workers", WORKLOAD, "a number 1–64", "Threads of the sidecar's data path."),
  annotation(
    "tulle.dev/proxy-admin-allow",
    WORKLOAD,
    "networks such as 10.0.0.0/8",
    "Who may read the sidecar's /config, /flows and /tap beside the pod itself.",
  ),
  annotation("timeout.tulle.dev/request", TRAFFIC, DURATION, "Longest time of a request with all its tries."),
  annotation("timeout.tulle.dev/response", TRAFFIC, DURATION, "Longest time of one try."),
  annotation("retry.tulle.dev/http", TRAFFIC, "status codes such as 5xx,429", "Answers that are tried again."),
  annotation("retry.tulle.dev/grpc", TRAFFIC, "status codes such as unavailable", "gRPC answers that are tried again."),
  annotation("retry.tulle.dev/limit", TRAFFIC, "a number 0–10; 1", "Most tries after the first."),
  annotation("retry.tulle.dev/timeout", TRAFFIC, DURATION, "Longest time of a try that may be repeated."),
  annotation(
    "balancer.tulle.dev/failure-accrual",
    ["service"],
    "consecutive or unified",
    "How endpoints are found failing: by failures in a row, or by their success rate as well.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-consecutive-max-failures",
    ["service"],
    "a number",
    "Failures in a row that take an endpoint out.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-consecutive-min-penalty",
    ["service"],
    DURATION,
    "First time that it stays out.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-consecutive-max-penalty",
    ["service"],
    DURATION,
    "Longest time that it stays out.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-success-rate-percent",
    ["service"],
    "a number 0–100; 80",
    "Least share of successes, for unified.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-window",
    ["service"],
    `${DURATION}; 10s`,
    "Time over which success rate and slow answers are counted.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-min-requests",
    ["service"],
    "a number; 20",
    "Requests in the window before it says anything.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-slow-after",
    ["service"],
    DURATION,
    "Answers that take longer are slow.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-max-slow-percent",
    ["service"],
    "a number 0–100; 50",
    "Largest share of slow answers before an endpoint is taken out.",
  ),
  annotation(
    "balancer.tulle.dev/failure-accrual-max-ejected-percent",
    ["service"],
    "a number 0–100; 50",
    "Most endpoints that may be out at a time.",
  ),
  annotation(
    "balancer.tulle.dev/slow-start",
    ["service"],
    DURATION,
    "Time in which an endpoint that is new, or back, comes to its full share.",
  ),
  annotation(
    "balancer.tulle.dev/concurrency-limit",
    ["service"],
    "a number, or adaptive",
    "Most requests under way to each endpoint.",
  ),
  annotation(
    "balancer.tulle.dev/zone-spill-over",
    ["service"],
    "a number",
    "Own zone first, until so many requests are under way to its endpoint.",
  ),
  annotation("retry.tulle.dev/budget", ["service"], "20% or 20%,10/s", "Bound of all retries and hedges."),
  annotation("retry.tulle.dev/hedge", ["service"], DURATION, "Time after which a second endpoint is asked as well."),
  annotation("retry.tulle.dev/hedge-methods", ["service"], "methods such as PUT", "Methods that may be sent twice."),
];

const KEYS = ANNOTATIONS.map(({ key }) => key);

/** Keys of all annotations of the mesh. */
export const ANNOTATION_KEYS: readonly string[] = KEYS;

/** True for keys that only the mesh would use. */
export function isMeshKey(key: string): boolean {
  return /^([a-z]+\.)*tulle\.dev\//.test(key);
}
