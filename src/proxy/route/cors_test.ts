import { expect, test } from "bun:test";
import type { Cors } from "../../model/route_plan.ts";
import { request } from "./_builders.ts";
import { allowsOrigin, corsEdit, isPreflight, preflightResponse } from "./cors.ts";

function cors(parts: Partial<Cors>): Cors {
  const lists = { allowOrigins: ["https://a.example"], allowMethods: [], allowHeaders: [], exposeHeaders: [] };
  return { ...lists, allowCredentials: false, maxAgeSeconds: 5, ...parts };
}

test.each([
  ["*", "https://a.example", true],
  ["https://a.example", "https://a.example", true],
  ["https://a.example", "https://A.Example", true],
  ["https://a.example", "http://a.example", false],
  ["https://a.example", "https://a.example:8443", false],
  ["https://a.example", "https://a.example:443", true],
  ["http://a.example:80", "http://a.example", true],
  ["https://*.example", "https://a.b.example", true],
  ["https://*.example", "https://example", false],
  ["https://*.example", "https://evil.test/.example", false],
  ["https://*.example", "https://evil.test:1.example", false],
  ["https://*", "https://anything.test", true],
  ["https://*", "http://anything.test", false],
  ["https://*:8443", "https://x:8443", true],
  ["https://a*b*c.example", "https://a1b2c.example", true],
  ["https://a*b*c.example", "https://a1c.example", false],
  ["https://a.example", "null", false],
])("allowsOrigin() with %s, of %s: %p", (allowed, origin, holds) => {
  expect(allowsOrigin(cors({ allowOrigins: [allowed] }), origin)).toBe(holds);
});

const ASKED = ["origin", "https://a.example", "access-control-request-method", "PUT"];

test("isPreflight() wants the method and both headers", () => {
  expect(isPreflight(request("OPTIONS", "/", "web", ASKED))).toBe(true);
  expect(isPreflight(request("GET", "/", "web", ASKED))).toBe(false);
  expect(isPreflight(request("OPTIONS", "/", "web", ASKED.slice(0, 2)))).toBe(false);
});

test("preflightResponse() says what is allowed, and echoes what was asked for where all is", () => {
  const fields = [...ASKED, "access-control-request-headers", "x-a, x-b"];
  const all = { allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true, maxAgeSeconds: 60 };
  const answer = preflightResponse(cors(all), request("OPTIONS", "/", "web", fields));
  expect(answer.status).toBe(204);
  expect(answer.fields).toEqual([
    ...["vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"],
    ...["access-control-allow-origin", "https://a.example", "access-control-allow-credentials", "true"],
    ...["access-control-allow-methods", "PUT", "access-control-allow-headers", "x-a, x-b"],
    ...["access-control-max-age", "60"],
  ]);
  const some = cors({ allowMethods: ["GET", "PUT"], allowHeaders: ["x-a"] });
  const told = preflightResponse(some, request("OPTIONS", "/", "web", fields));
  expect(told.get("access-control-allow-methods")).toBe("GET, PUT");
  expect(told.get("access-control-allow-headers")).toBe("x-a");
});

test("preflightResponse() gives an origin that is not allowed no leave", () => {
  const answer = preflightResponse(cors({ allowOrigins: [] }), request("OPTIONS", "/", "web", ASKED));
  expect(answer.get("access-control-allow-origin")).toBeNull();
});

test("corsEdit() marks responses to allowed origins alone", () => {
  const origin = ["origin", "https://a.example"];
  const noLeave = { set: [], add: ["vary", "Origin"], remove: [] };
  expect(corsEdit(cors({}), request("GET", "/"))).toEqual(noLeave);
  expect(corsEdit(cors({ allowOrigins: [] }), request("GET", "/", "web", origin))).toEqual(noLeave);
  expect(corsEdit(cors({ exposeHeaders: ["x-a", "*"], allowCredentials: true }), request("GET", "/", "web", origin)))
    .toEqual({
      set: [
        ...["access-control-allow-origin", "https://a.example", "access-control-allow-credentials", "true"],
        ...["access-control-expose-headers", "x-a"],
      ],
      add: ["vary", "Origin"],
      remove: [],
    });
});
