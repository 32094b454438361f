/** `tulle policy lint` and `tulle authz` over manifests with one mistake of each sort. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { tulleCommand } from "../support/tulle_command.ts";

const SHOP = join(import.meta.dir, "shop.yaml");
const MISTAKES = join(import.meta.dir, "mistakes.yaml");
const SLIPS = join(import.meta.dir, "slips.yaml");

function tulle(...words: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...tulleCommand(), ...words]);
  return { out: stdout.toString(), error: stderr.toString(), exitCode };
}

test("lint finds each mistake, says where it is and what to do, and fails", () => {
  const { out, exitCode } = tulle("policy", "lint", "-f", SHOP, "-f", MISTAKES, "-o", "json");
  const findings = JSON.parse(out) as { severity: string; rule: string; object: string; place: string; fix: string }[];
  expect(findings.map(({ severity, rule, object }) => `${severity} ${rule} ${object}`)).toEqual([
    "error contradicting AuthorizationPolicy shop/front",
    "error dangling AuthorizationPolicy shop/gone",
    "error shadowed Server shop/zz",
    "warning too_broad AuthorizationPolicy shop/all",
    "warning shadowed AuthorizationPolicy shop/front",
    "warning too_broad AuthorizationPolicy shop/trial",
    "warning shadowed HTTPRoute shop/z-again",
    "warning unused NetworkAuthentication shop/unused",
    "warning too_broad Server shop/zz",
  ]);
  for (const { place, fix } of findings) expect([/\.yaml:\d+$/.test(place), fix !== ""]).toEqual([true, true]);
  expect(exitCode).toBe(1);
});

test("lint finds slips of traffic policy, and what was meant where that can be told", () => {
  const { out, exitCode } = tulle("policy", "lint", "-f", SLIPS, "-o", "json");
  const findings = JSON.parse(out) as { severity: string; rule: string; object: string; fix: string }[];
  const hint = (fix: string) => /did you mean (.*)\?/.exec(fix)?.[1] ?? "";
  expect(findings.map(({ severity, rule, object, fix }) => `${severity} ${rule} ${object} ${hint(fix)}`.trimEnd()))
    .toEqual([
      "error dangling AuthorizationPolicy till/at-clients",
      "error contradicting BackendPolicy till/books",
      "error dangling BackendPolicy till/slip desk",
      "error shadowed BackendPolicy till/twice",
      "error contradicting EgressNetwork till/api",
      "error dangling RateLimitPolicy till/at-clients",
      "error mistyped Service till/desk balancer.tulle.dev/slow-start",
      "warning unused BackendPolicy till/books",
      "warning shadowed EgressNetwork till/half",
      "warning unused FaultInjection till/ended",
      "warning shadowed HTTPRoute till/desk",
      "warning dangling MeshTLSAuthentication till/callers desk",
      "warning dangling MeshTLSAuthentication till/callers namespace till",
      "warning mistyped Service till/books",
      "warning unused Service till/books",
      "warning dangling Service till/lost",
    ]);
  expect(exitCode).toBe(1);
});

test("lint is content with what is right", () => {
  expect(tulle("policy", "lint", "--strict", "-f", SHOP)).toEqual({ out: "nothing found\n", error: "", exitCode: 0 });
});

test("authz names callers by port and request, the policy that says so, and what holds elsewhere", () => {
  const { out } = tulle("authz", "-f", SHOP, "deploy/web", "-n", "shop", "-o", "json");
  const [answer] = JSON.parse(out) as {
    instances: string[];
    places: { port: number | null; requests: string; rules: unknown[] }[];
  }[];
  expect(answer?.instances).toEqual(["web-0", "web-1"]);
  const refused = { action: "deny", mode: "enforce", callers: "everyone else", policy: "default deny" };
  expect(answer?.places.map(({ port, requests, rules }) => [port, requests, rules])).toEqual([
    [8000, "GET /metrics", [
      {
        action: "allow",
        mode: "enforce",
        callers: "spiffe://cluster.local/ns/shop/sa/front",
        policy: "AuthorizationPolicy shop/front",
      },
      refused,
    ]],
    [8000, "everything else, and what is not HTTP", [
      { action: "deny", mode: "enforce", callers: "everyone", policy: "no route matches" },
    ]],
    [null, null, [refused]],
  ] as never);
});

test("authz says that a default refuses nobody while the admissions are on trial", () => {
  const { out } = tulle("authz", "-f", SHOP, "-f", MISTAKES, "front", "-n", "shop", "-o", "json");
  const [answer] = JSON.parse(out) as { places: { port: number | null; rules: Record<string, string>[] }[] }[];
  const rules = answer?.places.find(({ port }) => port === 9)?.rules.map(({ action, mode, policy }) => {
    return `${mode} ${action} ${policy}`;
  });
  expect(rules).toEqual(["audit allow AuthorizationPolicy shop/trial", "audit deny default deny"]);
});
