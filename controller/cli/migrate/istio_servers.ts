/** One port of a workload under policies of Istio → a Server, its routes, and who may use which. */
import type { Policy } from "./istio_policy.ts";
import type { Callers, Clause } from "./istio_rules.ts";
import { contains, EVERY_REQUEST, isEverything, matchOf, outranks, overlaps, type RequestSet } from "./istio_paths.ts";
import type { Subject } from "./istio_subjects.ts";
import type { Migration, Source } from "./migration.ts";
import type { Json } from "./view.ts";

const POLICY_VERSION = "policy.tulle.dev/v1alpha1";
const POLICY_GROUP = "policy.tulle.dev";
const GATEWAY_GROUP = "gateway.networking.k8s.io";

export interface PortPolicy {
  readonly clauses: readonly { readonly policy: Policy; readonly clause: Clause }[];
  /** There is an admission for the workload: what none admits is refused. */
  readonly isClosed: boolean;
  /** Callers need a mesh identity in any case. */
  readonly isStrict: boolean;
  readonly because: Source;
}

/** Writes a port's Server with its routes, authentications and policies; lists where access becomes stricter. */
export function emitServer(migration: Migration, subject: Subject, port: number, policy: PortPolicy): void {
  new ServerWriter(migration, subject, port, policy).write();
}

class ServerWriter {
  readonly #migration: Migration;
  readonly #subject: Subject;
  readonly #port: number;
  readonly #policy: PortPolicy;
  /** What every admission needs besides its own callers: denials of "all but these", and mutual TLS. */
  readonly #required: Json[] = [];
  #server = "";

  constructor(migration: Migration, subject: Subject, port: number, policy: PortPolicy) {
    this.#migration = migration;
    this.#subject = subject;
    this.#port = port;
    this.#policy = policy;
  }

  write(): void {
    const { clauses, isClosed, isStrict, because } = this.#policy;
    const others = clauses.filter(({ clause }) => clause.butThese);
    const plain = clauses.filter(({ clause }) => !clause.butThese);
    for (const { policy, clause } of others) {
      if (!isEverything(clause.requests) || clause.except.length > 0) {
        this.#migration.say(
          "stricter",
          policy.source,
          "spec.rules",
          `on port ${this.#port} all but the named callers are refused for every request, not for some`,
        );
      }
      this.#required.push(...this.#authentications(policy, clause.callers));
    }
    const accessPolicy = isClosed || others.length > 0
      ? "deny"
      : isStrict
      ? "all-authenticated"
      : "all-unauthenticated";
    this.#server = this.#emit(because, "Server", `${this.#subject.name}-${this.#port}`, {
      podSelector: Object.keys(this.#subject.selector).length === 0 ? {} : { matchLabels: this.#subject.selector },
      port: this.#port,
      accessPolicy,
    });
    if (isStrict && accessPolicy === "deny" && this.#required.every(({ kind }) => kind !== "MeshTLSAuthentication")) {
      this.#strict = true;
    }
    // "All but these are denied", and nothing else is asked: these may come in.
    if (!isClosed && others[0] !== undefined) this.#admit(others[0].policy, [], null);
    for (const { policy, clause } of plain.filter(({ clause }) => isWhole(clause))) this.#attach(policy, clause, null);
    const partial = plain.filter(({ clause }) => !isWhole(clause));
    if (partial.length > 0) this.#routes(partial);
  }

  #strict = false;

  /** Routes for what rules tell apart, and one for the rest. */
  #routes(partial: PortPolicy["clauses"]): void {
    const sets = new Map<string, { readonly set: RequestSet; readonly because: Source }>();
    for (const { policy, clause } of partial) {
      for (const set of [clause.requests, ...clause.except]) {
        if (!isEverything(set)) sets.set(JSON.stringify(set), { set, because: policy.source });
      }
    }
    const [first] = partial;
    if (first !== undefined) sets.set("", { set: EVERY_REQUEST, because: first.policy.source });
    let number = 0;
    for (const { set, because } of sets.values()) {
      const rest = isEverything(set);
      const match = matchOf(set);
      const name = this.#emitRoute(
        because,
        rest ? "rest" : String(++number),
        set.host,
        Object.keys(match).length === 0 ? [] : [match],
      );
      for (const { policy, clause } of partial) {
        if (policy.isDeny ? mayHold(clause, set) : holdsFor(clause, set)) this.#attach(policy, clause, name);
        else if (!policy.isDeny && !rest && mayHold(clause, set)) {
          this.#migration.say(
            "stricter",
            policy.source,
            "spec.rules",
            `some of its requests fall under a closer rule (${because.kind} ${because.name}), which alone decides on them`,
          );
        }
      }
    }
  }

  #attach(policy: Policy, clause: Clause, route: string | null): void {
    const refs = this.#authentications(policy, clause.callers);
    if (policy.isDeny) this.#authorize(policy.source, route, refs, "Deny");
    else this.#admit(policy, refs, route);
  }

  #admit(policy: Policy, refs: readonly Json[], route: string | null): void {
    const all = [...refs, ...this.#required];
    if (this.#strict && all.every(({ kind }) => kind !== "MeshTLSAuthentication")) {
      all.push({
        group: POLICY_GROUP,
        kind: "MeshTLSAuthentication",
        name: this.#authentication(policy.source, "MeshTLSAuthentication", "any-identity", { identities: ["*"] }),
      });
    }
    this.#authorize(policy.source, route, all, "Allow");
  }

  #authorize(because: Source, route: string | null, refs: readonly Json[], action: "Allow" | "Deny"): void {
    const targetRef = route === null
      ? { group: POLICY_GROUP, kind: "Server", name: this.#server }
      : { group: GATEWAY_GROUP, kind: "HTTPRoute", name: route };
    this.#emit(because, "AuthorizationPolicy", `${because.name}-${route ?? this.#server}`, {
      targetRef,
      ...(action === "Deny" ? { action } : {}),
      requiredAuthenticationRefs: refs,
    });
  }

  #authentications({ source }: Policy, { identities, accounts, namespaces, networks }: Callers): Json[] {
    const refs: Json[] = [];
    const add = (kind: string, suffix: string, spec: Json) => {
      refs.push({
        group: POLICY_GROUP,
        kind,
        name: this.#authentication(source, kind, `${source.name}-${suffix}`, spec),
      });
    };
    if (identities !== null) add("MeshTLSAuthentication", "principals", { identities });
    if (namespaces !== null) add("MeshTLSAuthentication", "namespaces", { identities: namespaces });
    if (accounts !== null) {
      add("MeshTLSAuthentication", "accounts", {
        identityRefs: accounts.map((account) => ({ kind: "ServiceAccount", ...account })),
      });
    }
    if (networks !== null) {
      add("NetworkAuthentication", "networks", {
        networks: networks.map(({ cidr, except }) => ({ cidr, ...(except.length > 0 ? { except } : {}) })),
      });
    }
    return refs;
  }

  /** The same authentication is written once for a namespace. */
  #authentication(because: Source, kind: string, name: string, spec: Json): string {
    const known = this.#migration.outputs().find(({ value }) => {
      const { namespace } = value["metadata"] as { namespace?: string };
      return value["kind"] === kind && namespace === this.#subject.namespace &&
        JSON.stringify(value["spec"]) === JSON.stringify(spec);
    });
    return known === undefined
      ? this.#emit(because, kind, name, spec)
      : (known.value["metadata"] as { name: string }).name;
  }

  #emitRoute(because: Source, suffix: string, host: string | null, matches: readonly Json[]): string {
    return this.#migration.emit(because, {
      apiVersion: `${GATEWAY_GROUP}/v1`,
      kind: "HTTPRoute",
      metadata: { name: `${this.#server}-${suffix}`, namespace: this.#subject.namespace },
      spec: {
        parentRefs: [{ group: POLICY_GROUP, kind: "Server", name: this.#server }],
        ...(host === null ? {} : { hostnames: [host] }),
        rules: [matches.length === 0 ? {} : { matches }],
      },
    });
  }

  #emit(because: Source, kind: string, name: string, spec: Json): string {
    return this.#migration.emit(because, {
      apiVersion: POLICY_VERSION,
      kind,
      metadata: { name, namespace: this.#subject.namespace },
      spec,
    });
  }
}

/** About every request of its ports: then it can be said for the Server as a whole. */
function isWhole({ requests, except }: Clause): boolean {
  return isEverything(requests) && except.length === 0;
}

function holdsFor({ requests, except }: Clause, set: RequestSet): boolean {
  // What is left out has routes of its own, which are closer than the one for the rest.
  if (isEverything(set)) return isEverything(requests);
  return contains(requests, set) && !except.some((each) => overlaps(each, set));
}

/** Whether a request that this route decides on may be one of the clause's. */
function mayHold({ requests, except }: Clause, set: RequestSet): boolean {
  // Where the clause's own route is closer, that one decides.
  if (!isEverything(requests) && outranks(requests, set)) return false;
  return overlaps(requests, set) && !except.some((each) => contains(each, set));
}
