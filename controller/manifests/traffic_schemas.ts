/** Schemas of the kinds that shape traffic. */
import { DURATION_FORM, DURATION_PATTERN } from "../../src/base/duration.ts";
import { MAX_BANDWIDTH } from "../kube/fault_injection.ts";
import { BALANCE_FACTOR, MAX_FAILURES, MAX_KEY_NAME, MAX_METHODS, MAX_REQUESTS } from "../kube/backend_policy.ts";
import { MAX_EGRESS_ENTRIES } from "../kube/egress_network.ts";
import { MAX_OVERRIDES, MAX_RATE } from "../kube/rate_limits.ts";
import { list, object, rule, rules, type Schema, text } from "./_schema.ts";

function number(minimum: number, maximum: number, description: string): Schema {
  return { type: "integer", minimum, maximum, description };
}

const RATE = {
  requestsPerSecond: number(1, MAX_RATE, "Requests a second, in the long run."),
  burst: number(
    1,
    MAX_RATE,
    "Requests that may come at once after a pause; as many as a second has where it is left out.",
  ),
};

function rate(description: string): Schema {
  return object(RATE, ["requestsPerSecond"], { description });
}

const CLIENT = object(
  {
    kind: { type: "string", enum: ["ServiceAccount"] },
    name: text("Name of the ServiceAccount.", { minLength: 1, maxLength: 253 }),
    namespace: text("Its namespace; the policy's own where it is left out.", { maxLength: 63 }),
  },
  ["kind", "name"],
);

/** RateLimitPolicy. */
export function rateLimitSpec(targetRef: Schema): Schema {
  return object(
    {
      targetRef,
      total: rate("All requests together."),
      identity: rate("Each identity for itself; callers without one together."),
      overrides: list(
        object({ ...RATE, clientRefs: { ...list(CLIENT, MAX_OVERRIDES, "Whose rate it is."), minItems: 1 } }, [
          "requestsPerSecond",
          "clientRefs",
        ]),
        MAX_OVERRIDES,
        "Rates of callers in place of identity.",
      ),
      header: object(
        { ...RATE, name: text("Name of the header.", { minLength: 1, maxLength: 256 }) },
        ["name", "requestsPerSecond"],
        { description: "Each value of a header for itself; requests without it are not counted." },
      ),
    },
    ["targetRef"],
    rule(
      "has(self.total) || has(self.identity) || has(self.header) || (has(self.overrides) && size(self.overrides) > 0)",
      "want total, identity, overrides or header",
    ),
  );
}

const KEY_NAME = { minLength: 1, maxLength: MAX_KEY_NAME };
/** Exactly one of the keys, in CEL. */
const ONE_KEY = [
  "has(self.header)",
  "has(self.cookie)",
  "has(self.queryParam)",
  "has(self.sourceIP) && self.sourceIP",
  "has(self.identity) && self.identity",
].map((has) => `(${has} ? 1 : 0)`).join(" + ") + " == 1";

/** BackendPolicy. */
export function backendPolicySpec(targetRef: Schema): Schema {
  const percent = (description: string) => number(0, 100, description);
  return object(
    {
      targetRef,
      ejection: object(
        {
          consecutiveFailures: number(0, MAX_FAILURES, "Failures in a row that take an endpoint out; 0: they do not."),
          minSuccessPercent: percent("Least share of successes in the window."),
          window: duration("Time that is looked at; 10s where it is left out."),
          minRequests: number(1, MAX_REQUESTS, "Requests in the window before it says anything; 20."),
          slowAfter: duration("Answers that take longer are slow."),
          maxSlowPercent: percent("Largest share of slow answers in the window; 50."),
          minPenalty: duration("First time that an endpoint stays out; 1s. It doubles each time."),
          maxPenalty: duration("Longest time that it stays out; 1m."),
          maxEjectedPercent: percent("Most endpoints that may be out at a time; 50."),
        },
        [],
        {
          description:
            "Takes endpoints out that fail or are slow. One request at a time then tries whether they are well.",
        },
      ),
      slowStart: duration("Time in which an endpoint that is new, or back, comes to its full share."),
      retryBudget: object(
        {
          percent: percent("Share of the requests; 20."),
          minPerSecond: number(0, MAX_REQUESTS, "Retries a second that are there without any requests; 10."),
        },
        [],
        { description: "Bounds retries and hedges together." },
      ),
      hedging: object(
        {
          delay: duration("How long the first endpoint has before a second one is asked."),
          methods: list(text("A method."), MAX_METHODS, "Methods beside GET, HEAD and OPTIONS that may be sent twice."),
        },
        ["delay"],
        {
          description: "Asks a second endpoint when the first is slow; the first answer counts. Bodies up to 64 KiB.",
        },
      ),
      concurrency: object(
        {
          limit: number(1, MAX_REQUESTS, "Requests under way to each endpoint, or where an adaptive limit starts."),
          adaptive: object(
            { min: number(1, MAX_REQUESTS, "Least; 1."), max: number(1, MAX_REQUESTS, "Most; 1000.") },
            [],
            { description: "Follows the latency: up while answers are quick, down when they queue." },
          ),
        },
        [],
        { description: "Bounds the requests under way from each client to each endpoint; beyond it 503 at once." },
      ),
      zone: object(
        { spillOver: number(1, MAX_REQUESTS, "Requests under way to an endpoint beyond which other zones are asked.") },
        ["spillOver"],
        { description: "Prefers endpoints of the client's zone." },
      ),
      loadBalancing: object(
        {
          consistentHash: object(
            {
              header: text("Name of a header.", KEY_NAME),
              cookie: text("Name of a cookie that clients send; it is not set.", KEY_NAME),
              queryParam: text("Name of a parameter of the query.", KEY_NAME),
              sourceIP: { type: "boolean", description: "The address of the client's workload; also for opaque TCP." },
              identity: { type: "boolean", description: "The client's SPIFFE ID; also for opaque TCP." },
              balanceFactor: number(
                0,
                BALANCE_FACTOR.most,
                "Most requests under way to an endpoint, in percent of the mean, before its keys go on to the next; 200. " +
                  "0: any number.",
              ),
            },
            [],
            {
              description:
                "Requests with the same key go to the same endpoint while it is there; those without one to any.",
              ...rules(
                [ONE_KEY, "want one of header, cookie, queryParam, sourceIP: true, identity: true"],
                [
                  `!has(self.balanceFactor) || self.balanceFactor == 0 || self.balanceFactor >= ${BALANCE_FACTOR.least}`,
                  `balanceFactor: want 0, or at least ${BALANCE_FACTOR.least}`,
                ],
              ),
            },
          ),
        },
        ["consistentHash"],
        { description: "How an endpoint is chosen; by latency and load where it is left out." },
      ),
    },
    ["targetRef"],
  );
}

/** FaultInjection. */
export function faultSpec(targetRef: Schema): Schema {
  return object(
    {
      targetRef,
      percent: number(0, 100, "Share of the requests; 100."),
      clientRefs: list(CLIENT, 64, "Callers it is for; all where it is left out."),
      until: text("When it is over.", { format: "date-time" }),
      for: duration("How long it lasts from when the object was made."),
      delay: duration("Before anything else."),
      abort: object(
        {
          httpStatus: number(200, 599, "Status of the answer that callers get in place of the Service's."),
          grpcStatus: number(1, 16, "The same for gRPC."),
        },
        [],
        { description: "Answers in place of the Service." },
      ),
      bandwidth: object(
        {
          requestBytesPerSecond: number(1, MAX_BANDWIDTH, "How fast the body of each request passes."),
          responseBytesPerSecond: number(1, MAX_BANDWIDTH, "How fast the body of each response passes."),
        },
        [],
        { description: "Slows bodies down, beyond what one flow-control window holds." },
      ),
      reset: { type: "boolean", description: "Resets the connection (HTTP/1.1) or the stream (HTTP/2)." },
    },
    ["targetRef"],
    rule("has(self.until) != has(self.for)", "want either until or for: a fault must end"),
  );
}

/** EgressNetwork. */
export function egressSpec(cidr: Schema): Schema {
  return object(
    {
      trafficPolicy: { type: "string", enum: ["Allow", "Deny"], description: "What it says; Deny wins over Allow." },
      networks: list(
        object({ cidr, except: list(cidr, MAX_EGRESS_ENTRIES, "Parts of it that do not count; each within it.") }, [
          "cidr",
        ]),
        MAX_EGRESS_ENTRIES,
        "Addresses it is about; every one outside of the cluster where it is left out.",
      ),
      hosts: list(
        text("A name, or *. and a name for all below it.", { minLength: 1, maxLength: 253 }),
        MAX_EGRESS_ENTRIES,
        "Names it is about, as TLS (SNI) and HTTP (Host) say them; beside networks both must hold.",
      ),
    },
    ["trafficPolicy"],
  );
}

/** By a rule with words of our own: a `pattern` is refused with the expression itself, which tells nobody what to write. */
function duration(description: string): Schema {
  return text(description, { maxLength: 40, ...rule(`self.matches('${DURATION_PATTERN}')`, `want ${DURATION_FORM}`) });
}
