/**
 * `tulle migrate` on manifests as people have them: the output and the list are compared with files (`UPDATE=1` writes them),
 * and the output is read back by our own parser.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseFile } from "../../controller/kube/parse_file.ts";
import { parseObjects } from "../../controller/kube/parse_objects.ts";
import { document } from "../../controller/cli/migrate/migrate.ts";
import { translate, type Translated } from "../../controller/cli/migrate/translate.ts";

const CASES = join(import.meta.dir, "cases");
const OPTIONS = {
  trustDomain: "cluster.local",
  rootNamespace: "istio-system",
  faultsUntil: "2031-01-31T12:00:00Z",
};

function migrated(text: string, file = "in.yaml"): Translated & { yaml: string } {
  const { objects, problems } = parseObjects(file, text);
  expect(problems).toEqual([]);
  const result = translate(objects, OPTIONS);
  return { ...result, yaml: result.outputs.map(document).join("") };
}

function list({ items }: Translated): string {
  return items.map(({ effect, object, field, line, reason }) => `${effect}: ${object}:${line}: ${field}: ${reason}\n`)
    .join("");
}

describe("migrate writes what is expected, and what admission takes", () => {
  const names = readdirSync(CASES).filter((name) => /^[a-z]+\.yaml$/.test(name));
  test.each(names)("%s", (name) => {
    const base = join(CASES, name.replace(".yaml", ""));
    const result = migrated(readFileSync(join(CASES, name), "utf8"), name);
    const found = { yaml: result.yaml, list: list(result) };
    if (process.env["UPDATE"] !== undefined) {
      writeFileSync(`${base}.out.yaml`, found.yaml);
      writeFileSync(`${base}.list.txt`, found.list);
    }
    expect(found.yaml).toBe(readFileSync(`${base}.out.yaml`, "utf8"));
    expect(found.list).toBe(readFileSync(`${base}.list.txt`, "utf8"));
    const { errors } = parseFile(name, found.yaml);
    expect(errors).toEqual([]);
    expect(found.yaml).not.toMatch(/linkerd\.io\/v|istio\.io\/v|smi-spec\.io\/v/);
  });
});

test("with what stays as it is, nothing of the manifests is missing, twice or another mesh's", () => {
  const name = "canary.yaml";
  const { outputs, unchanged } = migrated(readFileSync(join(CASES, name), "utf8"), name);
  const names = [...unchanged, ...outputs].map(({ value }) => {
    const { namespace, name } = value["metadata"] as { namespace?: string; name: string };
    return `${value["kind"]} ${namespace ?? ""}/${name}`;
  });
  expect(names.filter((each) => each.startsWith("Service "))).toEqual([
    "Service store/store",
    "Service store/cart",
    "Service offers/offers",
  ]);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((each) => each.startsWith("VirtualService"))).toEqual([]);
});

describe("migrate survives odd manifests", () => {
  const istio = (spec: string, kind = "AuthorizationPolicy") => `
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: { name: p, namespace: shop }
spec: ${spec}
`;
  const odd: readonly (readonly [string, string, RegExp])[] = [
    ["spec that is a list", istio("[1, 2]"), /spec: found a list of 2, want a mapping/],
    ["rules that are text", istio("{ rules: everyone }"), /spec\.rules: found "everyone", want a list/],
    ["no kind", "apiVersion: v1\nmetadata: { name: a }\n", /found no kind/],
    ["no name", "apiVersion: v1\nkind: Service\nmetadata: {}\n", /found no name/],
    [
      "unknown condition",
      istio('{ rules: [{ when: [{ key: "request.auth.claims[iss]", values: [a] }] }] }'),
      /stricter.*request\.auth/,
    ],
    ["empty source", istio("{ rules: [{ from: [{ source: {} }] }] }"), /stricter.*found no source/],
    [
      "a denial of what is no network",
      istio(
        '{ action: DENY, rules: [{ from: [{ source: { ipBlocks: [here] } }], to: [{ operation: { ports: ["80"] } }] }] }',
      ),
      /wider: .*NetworkAuthentication.*found "here"/,
    ],
    [
      "a denial of an empty list",
      istio("{ action: DENY, rules: [{ from: [{ source: { principals: [] } }] }] }"),
      /stricter.*denies everybody/,
    ],
    ["an action nobody knows", istio("{ action: MAYBE, rules: [] }"), /wider.*MAYBE/],
    [
      "a prototype",
      istio('{ "__proto__": { rules: [] }, rules: [{ "constructor": 1, from: [{ source: { principals: ["*"] } }] }] }'),
      /constructor.*is not known/,
    ],
    [
      "an unknown kind",
      "apiVersion: networking.istio.io/v1\nkind: Chaos\nmetadata: { name: a }\n",
      /lost: Chaos default\/a:1: : has no counterpart/,
    ],
    [
      "a weight of nothing",
      "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: { name: a }\nspec: { service: a, backends: [{ service: b, weight: many }] }\n",
      /no Service, or no weight/,
    ],
  ];
  test.each(odd)("%s", (_, text, expected) => {
    expect(list(migrated(text))).toMatch(expected);
  });

  test("names of others make no lines", () => {
    const { yaml } = migrated(
      'apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: { name: "a\\n---\\nkind: Evil" }\nspec: { podSelector: {}, port: 1 }\n',
    );
    expect(yaml).not.toMatch(/^kind: Evil/m);
  });
});
