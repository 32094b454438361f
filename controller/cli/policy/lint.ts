/** What is wrong with policies though each object is valid: unused, shadowed, too broad, contradicting, pointing at nothing. */
import type { InboundJudge } from "../../../src/proxy/explain.ts";
import { PolicyJudge } from "../../index/policy_status.ts";
import { keyOf, type ObjectRef, resourceKey } from "../../kube/resources.ts";
import type { LintFinding, LintRule } from "./lint_finding.ts";
import { lintAnnotations, lintCallers, nearby } from "./lint_names.ts";
import { lintEgress, lintOpaqueServices } from "./lint_traffic.ts";
import type { MeshView } from "./mesh_view.ts";
import { namespacePinsNames } from "./pinned_names.ts";
import { type Authorization, refText, type Route } from "./refs.ts";

/** @param wallMs milliseconds since 1970: faults end @returns errors first, then by object */
export function lint(view: MeshView, wallMs: number): LintFinding[] {
  const linter = new Linter(view);
  linter.run(wallMs);
  return linter.findings.sort((a, b) =>
    a.severity.localeCompare(b.severity) || a.object.localeCompare(b.object) || a.rule.localeCompare(b.rule)
  );
}

const OF_POLICY = /^(AuthorizationPolicy|Server|\w+Route|RateLimitPolicy|BackendPolicy|FaultInjection) /;
const CHECKS = [lintAnnotations, lintCallers, lintEgress, lintOpaqueServices];

class Linter {
  readonly findings: LintFinding[] = [];
  readonly #view: MeshView;
  readonly #seen = new Set<string>();

  constructor(view: MeshView) {
    this.#view = view;
  }

  run(wallMs: number): void {
    const say = this.#say.bind(this);
    for (const check of CHECKS) check(this.#view, say);
    this.#endedFaults(wallMs);
    this.#dangling();
    this.#unusedAuthentications();
    this.#unusedServers();
    this.#broad();
    for (const { namespace, name } of this.#view.subjects) {
      const judge = this.#view.judge(namespace, name);
      if (judge !== null) this.#workload(judge);
    }
    for (const { service, ports } of this.#view.world.services()) {
      const [namespace = "", name = ""] = service.split("/");
      for (const { port } of ports) {
        const { routes } = this.#view.target(`${name}.${namespace}:${port}`, { namespace, name: "" });
        this.#routes(routes.filter(({ ref }) => ref.kind !== "default"));
      }
    }
  }

  #say(severity: LintFinding["severity"], rule: LintRule, object: string, detail: string, fix: string): void {
    const key = `${rule} ${object} ${detail}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.findings.push({ severity, rule, object, place: this.#view.state.places.get(object) ?? "", detail, fix });
  }

  /** What the controller itself warns of. */
  #dangling(): void {
    for (const { object, detail } of this.#view.world.warnings()) {
      if (/^annotation .* found /.test(detail)) {
        this.#say("error", "mistyped", object, detail, "correct its value");
        continue;
      }
      if (/selects no workload/.test(detail)) {
        // What runs may be scaled to nothing for a while.
        const [, namespace = ""] = /^Service ([^/]+)/.exec(object) ?? [];
        if (this.#view.state.where !== "manifests" || !this.#view.subjects.some((one) => one.namespace === namespace)) {
          continue;
        }
        this.#say("warning", "dangling", object, detail, "correct its selector, or the labels of the workload");
      }
      if (/is not of the trust domain/.test(detail)) {
        this.#say("warning", "dangling", object, detail, "write it with the trust domain of this mesh");
      }
      if (!OF_POLICY.test(object)) continue;
      if (/is dropped until|cannot be read/.test(detail)) {
        this.#say("error", "mistyped", object, detail, "correct what is named");
        continue;
      }
      if (/is selected by Server/.test(detail)) {
        const fix = "remove one of the two Servers, or select other workloads by their labels";
        this.#say("error", "shadowed", object, detail, fix);
      } else if (/older or comes first by name/.test(detail)) {
        this.#say("error", "shadowed", object, detail, "remove one of the two, or write them as one");
      } else if (/has no Server as a parent/.test(detail)) {
        const fix = "name the workload's Server in targetRef, or in parentRefs of a route that is for it";
        this.#say("error", "dangling", object, detail, fix);
      } else if (/does not exist|does not hold|no port|no TCP port/.test(detail)) {
        const fix = `correct the name, or make what it names${nearby(this.#view, detail)}`;
        this.#say("error", "dangling", object, detail, fix);
      }
    }
  }

  #endedFaults(wallMs: number): void {
    const judge = new PolicyJudge(this.#view.set, wallMs);
    for (const fault of this.#view.set.list("FaultInjection")) {
      const ended = judge.conditions(fault).find(({ reason }) => reason === "Expired");
      if (ended !== undefined) {
        this.#say("warning", "unused", keyOf(fault), ended.message, "remove it, or set another end");
      }
    }
  }

  #unusedAuthentications(): void {
    const { set } = this.#view;
    const used = new Set(
      set.list("AuthorizationPolicy").flatMap(({ meta, authentications }) =>
        authentications.map((ref) => keyOfRef(ref, meta.namespace))
      ),
    );
    for (const kind of ["MeshTLSAuthentication", "NetworkAuthentication"] as const) {
      for (const resource of set.list(kind)) {
        const key = keyOf(resource);
        if (!used.has(key)) {
          this.#say("warning", "unused", key, "no AuthorizationPolicy requires it", "require it, or remove it");
        }
      }
    }
  }

  #unusedServers(): void {
    const { set, subjects } = this.#view;
    if (subjects.length === 0) return; // manifests of policy alone
    const used = new Set<string>();
    for (const { namespace, name } of subjects) {
      for (const port of this.#view.judge(namespace, name)?.policy.ports.values() ?? []) {
        if (port.server !== null) used.add(`Server ${port.server.namespace}/${port.server.name}`);
      }
    }
    for (const server of set.list("Server")) {
      const key = keyOf(server);
      const isElsewhere = !subjects.some(({ namespace }) => namespace === server.meta.namespace);
      if (used.has(key) || isElsewhere) continue;
      this.#say(
        "warning",
        "unused",
        key,
        "it holds at no workload: none has these labels and this port, or another Server is there",
        "correct podSelector or port, or remove it with its policies",
      );
    }
  }

  /** Admissions that are wider than people mean. */
  #broad(): void {
    const { set } = this.#view;
    for (const policy of set.list("AuthorizationPolicy")) {
      if (policy.action !== "Allow") continue;
      const key = keyOf(policy);
      if (policy.authentications.length === 0) {
        this.#say(
          "warning",
          "too_broad",
          key,
          "it admits everyone, with or without an identity",
          "name a MeshTLSAuthentication in requiredAuthenticationRefs",
        );
      }
      const found = policy.authentications.map((ref) => ({
        ref,
        resource: this.#authentication(ref, policy.meta.namespace),
      }));
      const isNarrowed = (other: ObjectRef) =>
        found.some(({ ref, resource }) => ref !== other && resource !== null && !isOpen(resource));
      for (const { ref, resource } of found) {
        if (resource === null || !isOpen(resource) || isNarrowed(ref)) continue;
        const what = resource.kind === "MeshTLSAuthentication" ? "any identity of the mesh" : "every address";
        this.#say(
          "warning",
          "too_broad",
          key,
          `it admits ${what} (${keyOf(resource)})`,
          "name the identities that call: tulle policy suggest says who did",
        );
      }
    }
    for (const network of set.list("EgressNetwork")) {
      const isName = network.trafficPolicy === "Allow" && network.hosts.length > 0 && network.networks.length === 0;
      if (!isName || namespacePinsNames(set, network.meta.namespace)) continue;
      this.#say(
        "warning",
        "too_broad",
        keyOf(network),
        "it believes the names that programs say: an allowed one leads to any address",
        "annotate the namespace with tulle.dev/egress-dns: pinned, or name networks beside hosts",
      );
    }
    for (const server of set.list("Server")) {
      if (server.accessPolicy !== "all-unauthenticated" && server.accessPolicy !== "audit") continue;
      const hasAllow = set.list("AuthorizationPolicy").some(({ meta, target, action }) => {
        return action === "Allow" && meta.namespace === server.meta.namespace && target.kind === "Server" &&
          target.name === server.meta.name;
      });
      const key = keyOf(server);
      if (hasAllow) {
        this.#say(
          "error",
          "contradicting",
          key,
          `accessPolicy ${server.accessPolicy} admits everyone, so that its admissions change nothing`,
          "set accessPolicy: deny",
        );
      } else {this.#say(
          "warning",
          "too_broad",
          key,
          `accessPolicy ${server.accessPolicy} admits everyone`,
          "set accessPolicy: deny, and admit who is to call",
        );}
    }
  }

  #authentication(ref: ObjectRef, namespace: string) {
    const { set } = this.#view;
    if (ref.kind === "MeshTLSAuthentication") {
      return set.get("MeshTLSAuthentication", ref.namespace ?? namespace, ref.name);
    }
    return ref.kind === "NetworkAuthentication"
      ? set.get("NetworkAuthentication", ref.namespace ?? namespace, ref.name)
      : null;
  }

  #workload(judge: InboundJudge): void {
    for (const port of judge.policy.ports.values()) {
      for (const route of port.routes) this.#trial(judge.trial(port.port, route), refText(route.ref));
      if (port.server !== null) this.#trial(judge.trial(port.port, null), refText(port.server));
      this.#rules(port.authorizations, []);
      for (const route of port.routes) this.#rules(route.authorizations, port.authorizations);
      this.#routes(port.routes);
      if (
        port.routes.length > 0 && port.server !== null && port.routes.every(({ authorizations }) =>
          authorizations.length === 0
        ) && port.authorizations.length === 0 && port.defaultPolicy === "deny"
      ) {
        this.#say(
          "warning",
          "contradicting",
          refText(port.server),
          "it has routes and refuses everything: no policy admits anybody",
          "write an AuthorizationPolicy for the Server or its routes",
        );
      }
    }
  }

  /** Admissions in audit mode, where no other is: they open what was to be locked. */
  #trial(policy: PolicyRef | null, place: string): void {
    if (policy?.kind !== "AuthorizationPolicy") return; // the default audit says so itself
    this.#say(
      "warning",
      "too_broad",
      refText(policy),
      `mode audit: as no admission of ${place} is enforced, its default deny refuses nobody`,
      "set mode: enforce when the counters say that nobody is missed, or admit somebody by another policy first",
    );
  }

  /** Rules of one target, and those that hold there as well. */
  #rules(own: readonly Authorization[], outer: readonly Authorization[]): void {
    const enforced = [...own, ...outer].filter(({ mode }) => mode === "enforce");
    for (const rule of own) {
      if (rule.mode !== "enforce") continue;
      for (const other of enforced) {
        if (other === rule || !covers(other, rule)) continue;
        const object = refText(rule.policy);
        const by = refText(other.policy);
        if (rule.action === "allow" && other.action === "deny") {
          this.#say(
            "error",
            "contradicting",
            object,
            `whom it admits ${by} denies, and a denial wins`,
            "remove one of the two, or narrow the denial",
          );
        } else if (rule.action === other.action && (!covers(rule, other) || object > by)) {
          this.#say(
            "warning",
            "shadowed",
            object,
            `${by} ${rule.action === "allow" ? "admits" : "denies"} all whom it ${
              rule.action === "allow" ? "admits" : "denies"
            }, at the same place`,
            "remove it, or the wider one",
          );
        }
      }
    }
  }

  /** A route whose requests all fall under one before it. */
  #routes(routes: readonly Matchable[]): void {
    routes.forEach((route, i) => {
      const before = routes.slice(0, i).find((earlier) => coversRoute(earlier, route));
      if (before === undefined || refText(before.ref, true) === refText(route.ref, true)) return;
      this.#say(
        "warning",
        "shadowed",
        refText(route.ref),
        `each of its requests (rule ${route.ref.section}) falls under ${refText(before.ref, true)} first`,
        "remove it, or make its match closer than the other's",
      );
    });
  }
}

type Matchable = Pick<Route, "ref" | "hostnames" | "matches">;
type PolicyRef = NonNullable<ReturnType<InboundJudge["trial"]>>;

function keyOfRef(ref: ObjectRef, namespace: string): string {
  return resourceKey(ref.kind, ref.namespace ?? namespace, ref.name);
}

type AuthenticationResource = NonNullable<ReturnType<MeshView["set"]["get"]>>;

/** Whether everyone of its sort passes. */
function isOpen(resource: AuthenticationResource): boolean {
  if (resource.kind === "MeshTLSAuthentication") return resource.identities.includes("*");
  return resource.kind === "NetworkAuthentication" &&
    resource.networks.some(({ cidr, except }) => /\/0$/.test(cidr) && except.length === 0);
}

/** Whether everybody for whom `inner` holds is one for whom `outer` does; false when that cannot be told. */
function covers(outer: Authorization, inner: Authorization): boolean {
  return outer.authentications.every((wide) =>
    inner.authentications.some((narrow) => coversAuthentication(wide, narrow))
  );
}

type Authentication = Authorization["authentications"][number];

function coversAuthentication(wide: Authentication, narrow: Authentication): boolean {
  if (wide.kind === "mesh_tls" && narrow.kind === "mesh_tls") {
    return narrow.identities.every((id) => wide.identities.some((pattern) => coversIdentity(pattern, id)));
  }
  if (wide.kind === "networks" && narrow.kind === "networks") {
    return narrow.networks.every((network) =>
      wide.networks.some((other) => {
        return other.except.length === 0 && other.block.v4 === network.block.v4 &&
          other.block.prefixBits <= network.block.prefixBits && sameBits(other.block, network.block);
      })
    );
  }
  return false;
}

function coversIdentity(pattern: string, id: string): boolean {
  if (pattern === "*" || pattern === id) return true;
  return pattern.endsWith("*") && id.startsWith(pattern.slice(0, -1));
}

type Block = Extract<Authentication, { kind: "networks" }>["networks"][number]["block"];

/** Whether the first bits of `inner` are those of `outer`. */
function sameBits(outer: Block, inner: Block): boolean {
  return (["a", "b", "c", "d"] as const).every((word, i) => {
    const bits = Math.min(32, Math.max(0, outer.prefixBits - 32 * i));
    return bits === 0 || outer.base[word] >>> (32 - bits) === inner.base[word] >>> (32 - bits);
  });
}

/** Whether each request of `inner` is one of `outer`; false when that cannot be told. */
function coversRoute(outer: Matchable, inner: Matchable): boolean {
  if (
    outer.hostnames.length > 0 &&
    !inner.hostnames.every((host) => outer.hostnames.includes(host) && inner.hostnames.length > 0)
  ) return false;
  if (outer.hostnames.length > 0 && inner.hostnames.length === 0) return false;
  if (outer.matches.length === 0) return true;
  return inner.matches.length > 0 &&
    inner.matches.every((match) => outer.matches.some((wide) => coversMatch(wide, match)));
}

type Match = Route["matches"][number];

function coversMatch(wide: Match, narrow: Match): boolean {
  if (wide.method !== "" && wide.method !== narrow.method) return false;
  const has = (list: Match["headers"], wanted: Match["headers"][number]) =>
    list.some(({ name, kind, value }) => name === wanted.name && kind === wanted.kind && value === wanted.value);
  if (
    !wide.headers.every((header) => has(narrow.headers, header)) || !wide.query.every((each) => has(narrow.query, each))
  ) return false;
  if (wide.path === null) return true;
  if (narrow.path === null) return wide.path.kind === "prefix" && wide.path.value === "";
  if (wide.path.kind === narrow.path.kind && wide.path.value === narrow.path.value) return true;
  const isBelow = narrow.path.value === wide.path.value || narrow.path.value.startsWith(`${wide.path.value}/`);
  return wide.path.kind === "prefix" && narrow.path.kind !== "regex" && isBelow;
}
