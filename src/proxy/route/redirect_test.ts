import { expect, test } from "bun:test";
import type { Redirect } from "../../model/route_plan.ts";
import { request } from "./_builders.ts";
import { redirectResponse } from "./redirect.ts";

const CALLED = { host: "web.shop.svc.cluster.local", port: 80 };

function redirect(parts: Partial<Redirect>): Redirect {
  return { status: 302, scheme: "", hostname: "", port: 0, path: null, matched: "", ...parts };
}

test.each<[Partial<Redirect>, string, string, number, string]>([
  [{ hostname: "example.org" }, "web", "/a?b=c", 80, "http://example.org/a?b=c"],
  [{ hostname: "example.org" }, "web:8080", "/", 8080, "http://example.org:8080/"],
  [{ port: 8083 }, "web:80", "/", 80, "http://web:8083/"],
  [{ port: 80 }, "web:8080", "/", 8080, "http://web/"],
  [{ scheme: "https" }, "web:8080", "/", 8080, "https://web/"],
  [{ scheme: "https", port: 80 }, "web", "/", 80, "https://web:80/"],
  [{ scheme: "http" }, "web:8080", "/", 8080, "http://web/"],
  [{ path: { kind: "full", value: "/x" } }, "web", "/a/b?q", 80, "http://web/x?q"],
  [{ path: { kind: "prefix", value: "/x" }, matched: "/a" }, "web", "/a/b", 80, "http://web/x/b"],
  [{}, "[fd00::1]:80", "/a", 80, "http://[fd00::1]/a"],
  [{}, "", "/a", 80, "http://web.shop.svc.cluster.local/a"], // HTTP/1.0 without Host
  [{}, "web", "//evil.example/", 80, "http://web//evil.example/"], // stays a path
  [{}, "web", "*", 80, "http://web/"],
])("redirectResponse() of %p for %s%s at port %p goes to %5$s", (parts, authority, path, port, location) => {
  const answer = redirectResponse(redirect(parts), request("GET", path, authority), { ...CALLED, port });
  expect([answer.status, answer.get("location"), answer.get("content-length")]).toEqual([302, location, "0"]);
});
