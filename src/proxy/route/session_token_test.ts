import { expect, test } from "bun:test";
import type { RouteRule } from "../../model/outbound.ts";
import type { Session } from "../../model/route_plan.ts";
import { match, path, request } from "./_builders.ts";
import { endpointName, tokenEdit, tokenOf } from "./session_token.ts";

const NOW = 1_800_000_000_000;
const NAME = endpointName("web:80", "10.0.0.1:8080");

function session(parts: Partial<Session> = {}): Session {
  return { name: "sid", inHeader: false, absoluteTimeoutMs: 0, permanent: false, ...parts };
}

function rule(condition = "/"): RouteRule {
  return { matches: [match({ path: path(condition) })] } as unknown as RouteRule; // nothing else is looked at
}

/** The token in a cookie that a response sets. */
function cookie(parts: Partial<Session> = {}, condition = "/"): string {
  return tokenEdit(session(parts), rule(condition), NAME, NOW).add[1] ?? "";
}

test("tokenOf() reads what tokenEdit() wrote", () => {
  const [pair = ""] = cookie().split(";");
  const asked = request("GET", "/", "web", ["cookie", "a=b; sid2=x", "cookie", `c=d; ${pair}`]);
  expect(tokenOf(session(), asked, NOW)).toEqual({ endpoint: NAME, sinceMs: NOW });
  const inHeader = session({ inHeader: true, name: "x-sid" });
  const [name = "", token = ""] = tokenEdit(inHeader, rule(), NAME, NOW).set;
  expect(tokenOf(inHeader, request("GET", "/", "web", [name, token]), NOW)).toEqual({ endpoint: NAME, sinceMs: NOW });
});

test("tokenOf() does not know a session whose time is over", () => {
  const [pair = ""] = cookie().split(";");
  const limited = session({ absoluteTimeoutMs: 1000 });
  const asked = request("GET", "/", "web", ["cookie", pair]);
  expect(tokenOf(limited, asked, NOW + 999)).not.toBeNull();
  expect(tokenOf(limited, asked, NOW + 1000)).toBeNull();
});

test.each(["", "sid=", "sid=abc", "sid=abc.", "sid=.!", `sid=${"a".repeat(100)}.1`, "other=a.1"])(
  "tokenOf() finds no session in %p",
  (text) => expect(tokenOf(session(), request("GET", "/", "web", ["cookie", text]), NOW)).toBeNull(),
);

test.each<[Partial<Session>, string, string]>([
  [{}, "/", "; Path=/; HttpOnly; SameSite=Lax"],
  [{}, "/cart", "; Path=/cart; HttpOnly; SameSite=Lax"],
  [{}, "~/c.*", "; Path=/; HttpOnly; SameSite=Lax"],
  [{ permanent: true, absoluteTimeoutMs: 3_600_000 }, "/", "; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"],
  [{ permanent: true, absoluteTimeoutMs: 500 }, "/", "; Path=/; HttpOnly; SameSite=Lax; Max-Age=1"],
])("tokenEdit() with %p for %s has the attributes %s", (parts, condition, attributes) => {
  expect(cookie(parts, condition)).toEndWith(attributes);
});
