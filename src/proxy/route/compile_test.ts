import { expect, test } from "bun:test";
import fc from "fast-check";
import { match, type NamedRule, path, request, rule, value } from "./_builders.ts";
import { AMBIGUOUS, compileRoutes } from "./compile.ts";
import { firstMatch } from "./conditions.ts";

test.each([
  // path conditions (Gateway API HTTPPathMatch)
  ["=/a", "/a", true],
  ["=/a", "/a?x=1", true],
  ["=/a", "/a/", false],
  ["=/a", "/A", false],
  ["/a", "/a", true],
  ["/a", "/a/", true],
  ["/a", "/a/b", true],
  ["/a", "/ab", false],
  ["/a/", "/a", true], // a slash at the end of a prefix is ignored
  ["/", "/anything", true],
  ["/", "*", true],
  ["/a/b", "/a/b/c/d", true],
  ["/a/b", "/a", false],
  ["~/v[12]/.*", "/v2/x", true],
  ["~/v[12]", "/v2/x", false], // the whole path
  ["/a", "/%61", false], // as it is on the wire
])("match() of path %s on %s is %p", (condition, target, holds) => {
  const block = request("GET", target);
  const rules = [rule("r", [match({ path: path(condition) })])];
  expect(compileRoutes(rules).match(block) !== null).toBe(holds);
  expect(firstMatch(rules, block) !== null).toBe(holds);
});

test.each([
  ["web.shop", "web.shop:8080", true],
  ["web.shop", "WEB.shop", true],
  ["web.shop", "web.shop.:80", true],
  ["web.shop", "web.shop.svc", false],
  ["*.shop", "a.b.shop:1", true],
  ["*.shop", "shop", false],
  ["*.shop", ".shop", false],
  ["*.shop", "xshop", false],
  ["[::1]", "[::1]:80", true],
  ["web.shop", "", false],
])("match() of host name %s on authority %p is %p", (name, authority, holds) => {
  const table = compileRoutes([rule("r", [], [name])]);
  expect(table.match(request("GET", "/", authority)) !== null).toBe(holds);
});

test.each([
  [match({ method: "GET" }), "GET", "/", true, "method"],
  [match({ method: "GET" }), "get", "/", false, "methods are case-sensitive"],
  [match({ headers: [value("x-a=1,2")] }), "GET", "/", true, "several lines are joined by commas"],
  [match({ headers: [value("x-a~1.*")] }), "GET", "/", true, "regular expression over the joined value"],
  [match({ headers: [value("x-none=")] }), "GET", "/", false, "an absent header is not an empty one"],
  [match({ headers: [value("host=web.shop")] }), "GET", "/", true, "host is the authority"],
  [match({ query: [value("q=a b")] }), "GET", "/?q=a+b", true, "plus is a space"],
  [match({ query: [value("q=a/b")] }), "GET", "/?x=1&q=a%2Fb", true, "percent-decoded"],
  [match({ query: [value("q=1")] }), "GET", "/?q=2&q=1", false, "the first of a repeated one counts"],
  [match({ query: [value("q=")] }), "GET", "/?q", true, "no value is the empty one"],
  [match({ query: [value("q=1")] }), "GET", "/?Q=1", false, "names are case-sensitive"],
  [match({ query: [value("q=%zz")] }), "GET", "/?q=%zz", true, "no escape: stands for itself"],
  [match({ query: [value("a=1"), value("b=2")] }), "GET", "/?b=2&&a=1", true, "all must hold"],
  [match({ query: [value("a=1"), value("b=2")] }), "GET", "/?b=3&a=1", false, "one does not hold"],
])("match() of %p on %s %s is %p: %s", (condition, method, target, holds) => {
  const table = compileRoutes([rule("r", [condition])]);
  expect(table.match(request(method, target, "web.shop", ["x-a", "1", "x-a", "2"])) !== null).toBe(holds);
});

test("match() takes the first rule that holds whatever list it is kept in", () => {
  const table = compileRoutes([
    rule("prefix", [match({ path: path("/a"), method: "PUT" })]),
    rule("exact", [match({ path: path("=/a/b") }), match({ path: path("=/x") })]),
    rule("regex", [match({ path: path("~/a/.*") })]),
    rule("all"),
  ]);
  const names = ["/a/b", "/a/c", "/x", "/q"].map((p) => table.match(request("GET", p))?.name);
  expect(names).toEqual(["exact", "regex", "exact", "all"]);
  expect(table.match(request("PUT", "/a/b"))?.name).toBe("prefix");
});

test("match() remembers its answer on the block for its own table only", () => {
  const one = compileRoutes([rule("one")]);
  const two = compileRoutes([rule("two")]);
  const block = request("GET", "/");
  expect([one.match(block)?.name, two.match(block)?.name, one.match(block)?.name]).toEqual(["one", "two", "one"]);
  expect(block.routeKey).toBe(one);
});

test.each([
  "/public/../admin",
  "/public/%2e%2e/admin",
  "/public/..%2fadmin",
  "//admin",
  "/%61dmin",
  "/public/..;/admin",
  "/public/..\\admin",
  "/admin;x/y",
  "/public/%2E./%61dmin",
  "/admin#/public",
  "/public/x/..%2f../admin",
  "/ADMIN",
  "/%41DMIN",
  "/exact/",
  "/exact///",
  "/EXACT/",
  "/exact%00.png",
  "/v1x",
])(
  "matchAllReadings() finds %s ambiguous where its readings lead to different rules",
  (target) => {
    const table = compileRoutes([
      rule("public", [match({ path: path("/public") })]),
      rule("admin", [match({ path: path("/admin") })]),
      rule("exact", [match({ path: path("=/exact") })]),
      rule("regex", [match({ path: path("~/V[0-9]X") })]),
      rule("all", [match({ path: path("/") })]),
    ]);
    expect(table.matchAllReadings(request("GET", target))).toBe(AMBIGUOUS);
  },
);

test("matchAllReadings() tells case apart where rules do", () => {
  const table = compileRoutes([
    rule("lower", [match({ path: path("=/a") })]),
    rule("upper", [match({ path: path("=/A") })]),
  ]);
  const names = ["/a", "/A"].map((target) => (table.matchAllReadings(request("GET", target)) as NamedRule).name);
  expect(names).toEqual(["lower", "upper"]);
});

test("matchAllReadings() may lead to any of the rules that are the same", () => {
  const rules = [rule("items", [match({ path: path("=/items") })]), rule("items", [match({ path: path("/items") })])];
  const table = compileRoutes(rules, (a, b) => a.name === b.name);
  expect(table.matchAllReadings(request("GET", "/items/"))).toBe(rules[1] as NamedRule);
  expect(compileRoutes(rules).matchAllReadings(request("GET", "/items/"))).toBe(AMBIGUOUS);
});

test.each([["/public/a%20b", "public"], ["/public/g%2fp", "public"], ["/public//x", "public"], ["/x%2fy", undefined]])(
  "matchAllReadings() of %s is %p because all readings agree",
  (target, name) => {
    const table = compileRoutes([rule("public", [match({ path: path("/public") })])]);
    const answer = table.matchAllReadings(request("GET", target));
    expect(answer === AMBIGUOUS ? AMBIGUOUS : answer?.name).toBe(name);
  },
);

test("matchAllReadings() does not read what is too long, nor where no rule depends on the path", () => {
  const long = "/public/%20" + "a".repeat(5000);
  const table = compileRoutes([rule("public", [match({ path: path("/public") })])]);
  expect(table.matchAllReadings(request("GET", long))).toBe(AMBIGUOUS);
  const pathless = compileRoutes([rule("all", [match({ path: path("/") }), match({ method: "GET" })])]);
  expect(pathless.matchAllReadings(request("GET", long))).toBe(pathless.rules[0] as NamedRule);
});

const element = fc.constantFrom("a", "b", "ab", "");
const somePath = fc.array(element, { minLength: 1, maxLength: 3 }).map((parts) => "/" + parts.join("/"));
const someMatch = fc.record({
  path: fc.oneof(
    fc.constant(null),
    fc.tuple(fc.constantFrom("", "=", "~"), somePath).map(([kind, p]) => path(kind + p)),
    fc.constantFrom("~/a.*", "~/[ab]+").map(path),
  ),
  headers: fc.array(fc.constantFrom("x=1", "x~1|2", "y=1").map(value), { maxLength: 1 }),
  query: fc.array(fc.constantFrom("q=1", "q~.*", "r=1").map(value), { maxLength: 1 }),
  method: fc.constantFrom("", "", "GET", "PUT"),
});
const someRule = fc.record({
  name: fc.string({ maxLength: 3 }),
  hostnames: fc.array(fc.constantFrom("a.b", "*.b", "*.a.b", "c"), { maxLength: 2 }),
  matches: fc.array(someMatch, { maxLength: 3 }),
});
/** Many of these in one place are parted by what they ask for. */
const someKeyedRule = fc.record({
  name: fc.string({ maxLength: 3 }),
  hostnames: fc.constant([]),
  matches: fc.array(
    fc.record({
      path: fc.constant(null),
      headers: fc.constantFrom([], ...["x=1", "x=2", "x=1,2", "y=1", "x~1.*"].map((text) => [value(text)])),
      query: fc.constantFrom([], [], [value("q=1")]),
      method: fc.constantFrom("", "GET", "PUT"),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});
const someRequest = fc.tuple(
  fc.constantFrom("GET", "PUT"),
  somePath,
  fc.constantFrom("", "?q=1", "?q=2&r=1"),
  fc.constantFrom("a.b:80", "x.b", "x.a.b", ".b", "y..a.b", "c", ""),
  fc.constantFrom([], ["x", "1"], ["x", "2", "y", "1"], ["x", "1", "x", "2"]),
).map(([method, p, query, host, fields]) => request(method, p + query, host, fields));

test("match() equals the plain reading on any rules and requests", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.array(someRule, { maxLength: 8 }), fc.array(someKeyedRule, { minLength: 9, maxLength: 14 })),
      fc.array(someRequest, { minLength: 8, maxLength: 8 }),
      (rules, all) => {
        const table = compileRoutes<NamedRule>(rules);
        for (const block of all) expect(table.match(block)).toBe(firstMatch<NamedRule>(rules, block));
      },
    ),
    { numRuns: 200 },
  );
});
