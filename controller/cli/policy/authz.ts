/** `tulle authz`: who may call a workload, and why. */
import { type Output, parseOutput, runCommand, teachingCommand } from "../_command.ts";
import { type MeshOptions, openState, withManifests } from "./_mesh_options.ts";
import { MeshView, type Subject } from "./mesh_view.ts";
import { type Authorization, callersText, columns, refText, routeText } from "./refs.ts";

interface AuthzOptions extends MeshOptions {
  readonly output: Output;
}

/** A rule at a port or a route. */
export interface AuthzRule {
  readonly action: "allow" | "deny";
  readonly mode: "enforce" | "audit";
  readonly callers: string;
  /** "AuthorizationPolicy shop/front", or "default deny". */
  readonly policy: string;
}

export interface AuthzPlace {
  /** null: ports that nobody declares. */
  readonly port: number | null;
  readonly server: string;
  /** "GET /metrics"; null: the port as a whole. */
  readonly requests: string | null;
  readonly route: string;
  readonly rules: readonly AuthzRule[];
}

export interface AuthzAnswer {
  readonly workload: string;
  readonly instances: readonly string[];
  readonly places: readonly AuthzPlace[];
}

/** @param argv arguments after "authz" */
export async function runAuthz(argv: readonly string[]): Promise<void> {
  const summary = "Who may call a workload, by port and route, and the policy that says so. A denial wins over an " +
    "admission; without either the default holds. It is read from the snapshot that the workload's sidecar would get.";
  const command = withManifests(
    teachingCommand("authz", summary, [
      "tulle authz deploy/web -n shop",
      "tulle authz web -o json",
      "tulle authz -f manifests/ deploy/web       before anything is applied",
    ]),
    "manifests to look at instead of what runs; a file, a folder or -; may be given again",
  )
    .argument("<workload>", "deploy/web, web, web-0, shop/web")
    .option("-o, --output <form>", "table or json", parseOutput, "table")
    .action(async (word: string, options: AuthzOptions) => {
      const view = new MeshView(await openState(options));
      const answers = authz(view, view.find(word, options.namespace ?? null));
      process.stdout.write(
        options.output === "json" ? `${JSON.stringify(answers, null, 2)}\n` : answers.map(authzText).join("\n"),
      );
    });
  await runCommand(command, argv);
}

/** Instances with equal answers are one. */
export function authz(view: MeshView, subjects: readonly Subject[]): AuthzAnswer[] {
  const answers = new Map<string, AuthzAnswer & { instances: string[] }>();
  for (const subject of subjects) {
    const places = placesOf(view, subject);
    const workload = `${subject.namespace}/${subject.workload}`;
    const key = `${workload} ${JSON.stringify(places)}`;
    const known = answers.get(key);
    if (known === undefined) answers.set(key, { workload, instances: [subject.name], places });
    else known.instances.push(subject.name);
  }
  return [...answers.values()];
}

function placesOf(view: MeshView, { namespace, name, meshed }: Subject): AuthzPlace[] {
  const judge = meshed ? view.judge(namespace, name) : null;
  if (judge === null) {
    const rule: AuthzRule = {
      action: "allow",
      mode: "enforce",
      callers: "everyone: it has no sidecar",
      policy: "none",
    };
    return [{ port: null, server: "", requests: null, route: "", rules: [rule] }];
  }
  const places: AuthzPlace[] = [];
  for (const port of [...judge.policy.ports.values()].sort((a, b) => a.port - b.port)) {
    const server = port.server === null ? "" : refText(port.server);
    const shared = { port: port.port, server };
    const fallback = defaultRule(port.defaultPolicy, judge.trial(port.port, null) !== null);
    const probes = port.probePaths.map((path): AuthzRule => ({
      action: "allow",
      mode: "enforce",
      callers: `probes of the kubelet: ${path}`,
      policy: "default probe",
    }));
    if (port.routes.length === 0) {
      places.push({
        ...shared,
        requests: null,
        route: "",
        rules: [...rulesOf(port.authorizations), ...probes, fallback],
      });
      continue;
    }
    for (const route of port.routes) {
      const own = defaultRule(port.defaultPolicy, judge.trial(port.port, route) !== null);
      const rules = [...rulesOf([...route.authorizations, ...port.authorizations]), own];
      places.push({ ...shared, requests: routeText(route), route: refText(route.ref, true), rules });
    }
    const mode = judge.trial(port.port, null) === null ? "enforce" : "audit";
    const refusal: AuthzRule = { action: "deny", mode, callers: "everyone", policy: "no route matches" };
    places.push({
      ...shared,
      requests: "everything else, and what is not HTTP",
      route: "",
      rules: [...probes, refusal],
    });
  }
  const rules = [...rulesOf(judge.policy.denials ?? []), defaultRule(judge.policy.defaultPolicy, false)];
  places.push({ port: null, server: "", requests: null, route: "", rules });
  return places;
}

/** Denials first, as they are decided. */
function rulesOf(authorizations: readonly Authorization[]): AuthzRule[] {
  const rules = authorizations.map((authorization): AuthzRule => ({
    action: authorization.action,
    mode: authorization.mode,
    callers: callersText(authorization),
    policy: refText(authorization.policy),
  }));
  return rules.sort((a, b) => b.action.localeCompare(a.action) || a.policy.localeCompare(b.policy));
}

const DEFAULTS: Readonly<Record<string, readonly ["allow" | "deny", string]>> = {
  "all-unauthenticated": ["allow", "everyone else, with or without an identity"],
  "all-authenticated": ["allow", "everyone else with a mesh identity"],
  "cluster-unauthenticated": ["allow", "everyone else from the cluster's networks"],
  "cluster-authenticated": ["allow", "everyone else with a mesh identity, from the cluster's networks"],
  deny: ["deny", "everyone else"],
  audit: ["allow", "everyone else; reported as what would be refused"],
};

/** @param isTrial policies in audit mode keep it from refusing */
function defaultRule(name: string, isTrial: boolean): AuthzRule {
  const [action, callers] = DEFAULTS[name] ?? ["deny", "everyone else"];
  return { action, mode: isTrial && action === "deny" ? "audit" : "enforce", callers, policy: `default ${name}` };
}

function authzText({ workload, instances, places }: AuthzAnswer): string {
  const rows = [["PORT", "REQUESTS", "", "CALLERS", "WHY"]];
  for (const { port, server, requests, route, rules } of places) {
    rules.forEach(({ action, mode, callers, policy }, i) => {
      const where = i > 0 ? ["", ""] : [port === null ? "others" : String(port), requests ?? "all"];
      const why = [policy, ...(i > 0 ? [] : [server, route].filter((text) => text !== "").map((text) => `at ${text}`))]
        .join(" ");
      rows.push([...where, mode === "audit" ? `would ${action}` : action, callers, why]);
    });
  }
  return `${workload} (${instances.join(", ")})\n${columns(rows)}`;
}
