import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFile } from "./parse_file.ts";
import { formatProblem } from "./problem.ts";

const HEAD = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n";

function firstError(text: string): string {
  const problem = parseFile("shop.yaml", text).errors[0];
  return problem === undefined ? "" : formatProblem(problem);
}

test.each([
  [
    "a wrong type",
    `${HEAD}  selector: {app: web}\n  ports:\n  - port: "eighty"\n`,
    'shop.yaml:7:11: spec.ports[0].port: found "eighty", want a number 1–65535 (Service shop/web)',
  ],
  [
    "a missing key",
    `${HEAD}  ports: [{name: http}]\n`,
    "shop.yaml:5:11: spec.ports[0].port: missing, want a number 1–65535 (Service shop/web)",
  ],
  ["broken YAML", "a: [1, 2\nb: 3\n", "shop.yaml:2:1: not YAML: "],
  ["a key given twice", "a: 1\na: 2\n", 'shop.yaml:2:1: found the key "a" twice'],
  ["no kind", "metadata: {name: a}\n", "shop.yaml:1:1: kind: missing, want a kind such as"],
  [
    "an unknown key of our own kind",
    "apiVersion: policy.tulle.dev/v1alpha1\nkind: Server\nmetadata: {name: s}\nspec:\n  podSelector: {}\n  prt: 80\n  port: 80\n",
    'shop.yaml:6:3: spec.prt: unknown key, did you mean "port"? (Server default/s)',
  ],
  [
    "an unknown kind of our own group",
    "apiVersion: policy.tulle.dev/v1alpha1\nkind: AuthorisationPolicy\nmetadata: {name: s}\n",
    "did you mean AuthorizationPolicy?",
  ],
  [
    "the same object twice",
    `${HEAD}  ports: [{port: 80}]\n---\n${HEAD}  ports: [{port: 81}]\n`,
    "shop.yaml:7:1: found Service shop/web a second time, the first is on line 1 (Service shop/web)",
  ],
])("parseFile() says place, found and wanted for %s", (_name, text, want) => {
  expect(firstError(text)).toContain(want);
});

test("parseFile() refuses the whole file when one object is wrong", () => {
  const good = `${HEAD}  ports: [{port: 80}]\n`;
  const parsed = parseFile("shop.yaml", `${good}---\n${good.replace("name: web", "name: other").replace("80", "-1")}`);
  expect(parsed.resources).toEqual([]);
  expect(parsed.errors.length).toBe(1);
});

test("parseFile() warns and goes on for kinds it does not read and keys Kubernetes may know", () => {
  const text =
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\n${HEAD}  ports: [{port: 80, prot: 3}]\n`;
  const parsed = parseFile("shop.yaml", text);
  expect(parsed.errors).toEqual([]);
  expect(parsed.resources.length).toBe(1);
  expect(parsed.warnings.map(formatProblem)).toEqual([
    "shop.yaml:2:7: kind: the mesh does not read the kind Deployment, ignored (Deployment)",
    'shop.yaml:9:22: spec.ports[0].prot: unknown key, did you mean "protocol"? (ignored) (Service shop/web)',
  ]);
});

test("parseFile() reads a List of objects", () => {
  const text = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop}\n`;
  expect(parseFile("a.yaml", text).resources.map(({ resource, line }) => [resource.kind, line])).toEqual([[
    "Namespace",
    4,
  ]]);
});

test.each([
  [
    "aliases of aliases",
    "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\ne: [*d,*d,*d,*d]\n",
  ],
  ["many aliases", `a: &a x\nb: [${"*a,".repeat(200)}]\n`],
  ["deep brackets", "[".repeat(5000) + "]".repeat(5000)],
  ["deep markers", "- ".repeat(5000)],
  ["complex keys", "? ? a\n"],
  ["a large file", "#".repeat(1024 * 1024 + 1)],
])("parseFile() refuses %s quickly", (_name, text) => {
  const start = performance.now();
  expect(parseFile("bomb.yaml", text).errors.length).toBeGreaterThan(0);
  expect(performance.now() - start).toBeLessThan(2000);
});

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "spec",
        "ports",
        "port",
        "rules",
        "matches",
        "__proto__",
      ),
      tie("value"),
    ),
  ),
})).value;

const PIECES = ["a:", "- ", "\n", "  ", "&a ", "*a", "{", "]", "? ", "|", '"', "<<: ", "---\n"];

test("parseFile() gives resources or errors for any text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(fc.constantFrom(...PIECES)).map((parts) => parts.join(""))), (text) => {
      const parsed = parseFile("any.yaml", text);
      expect(parsed.errors.length === 0 || parsed.resources.length === 0).toBe(true);
    }),
    { numRuns: 500, interruptAfterTimeLimit: 1000 },
  );
});

const KINDS: readonly (readonly [string, string])[] = [
  ["v1", "Service"],
  ["v1", "Namespace"],
  ["discovery.k8s.io/v1", "EndpointSlice"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute"],
  ["gateway.networking.k8s.io/v1", "GRPCRoute"],
  ["policy.tulle.dev/v1alpha1", "Server"],
  ["policy.tulle.dev/v1alpha1", "AuthorizationPolicy"],
  ["policy.tulle.dev/v1alpha1", "MeshTLSAuthentication"],
  ["policy.tulle.dev/v1alpha1", "NetworkAuthentication"],
  ["workload.tulle.dev/v1alpha1", "ExternalWorkload"],
];

test("parseFile() gives a resource or errors for any value under a known kind", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), json, json, ([apiVersion, kind], metadata, spec) => {
      const parsed = parseFile("any.json", JSON.stringify({ apiVersion, kind, metadata, spec }));
      expect(parsed.errors.length + parsed.resources.length).toBeGreaterThan(0);
    }),
    { numRuns: 500, interruptAfterTimeLimit: 1000 },
  );
});
