import { afterEach, expect, test } from "bun:test";
import { type ApiObject, ObjectSink } from "./object_sink.ts";
import type { HttpRoute } from "./resources.ts";
import { ResourceStore } from "./store.ts";

const SERVICE = { group: "", kind: "Service", name: "web" };
const SERVER = { group: "policy.tulle.dev", kind: "Server", name: "web" };
const GOOD = { matches: [{ path: { value: "/a" } }] };
const BAD = { matches: [{ path: { type: "RegularExpression", value: "/(a" } }] };

const sinks: ObjectSink[] = [];
afterEach(() => sinks.splice(0).forEach((sink) => sink.close()));

function route(parents: readonly unknown[], rules: readonly unknown[]): ApiObject {
  const object = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { namespace: "shop", name: "r" },
    spec: { parentRefs: parents, rules },
  };
  return object;
}

/** What the store has of the route after these states of it, one after the other; each is told of before the next, or not. */
function after(states: readonly (ApiObject | "removed")[], atOnce: boolean): HttpRoute | null {
  const store = new ResourceStore();
  const sink = new ObjectSink(store, () => {});
  sinks.push(sink);
  for (const state of states) {
    if (state === "removed") sink.remove("HTTPRoute", route([], []));
    else sink.change("HTTPRoute", state);
    if (!atOnce) sink.flush();
  }
  sink.flush();
  return store.get("HTTPRoute", "shop", "r");
}

/** "a path", "dropped", … rule by rule; "closed" for a route of which nothing is known; "none". */
function shown(found: HttpRoute | null): string {
  if (found === null) return "none";
  if (found.unreadable !== undefined) return `closed at ${found.parents.map(({ kind }) => kind).join(" ")}`;
  return found.rules.map(({ dropped, matches }) => dropped === undefined ? matches[0]?.path?.value : "dropped").join(
    " ",
  );
}

const MANY = Array.from({ length: 16 }, () => ({ ...BAD, a: 1, b: 2, c: 3 }));

test.each<[string, readonly (ApiObject | "removed")[], string]>([
  [
    "a rule that cannot be read is dropped, and the others keep their places",
    [route([SERVICE], [BAD, GOOD])],
    "dropped /a",
  ],
  ["… also where it was good before", [route([SERVICE], [GOOD, GOOD]), route([SERVICE], [GOOD, BAD])], "/a dropped"],
  ["a route without a good rule is not taken", [route([SERVICE], [BAD])], "none"],
  ["… and what was in force stays", [route([SERVICE], [GOOD]), route([SERVICE], [BAD])], "/a"],
  ["a mistake outside of the rules refuses all", [route([SERVICE, { name: "" }], [GOOD, BAD])], "none"],
  ["more mistakes than are kept do, too", [route([SERVICE], [...MANY.slice(1), GOOD])], "none"],
  ["at a Server a rule that is missing closes it", [route([SERVER], [GOOD, BAD])], "closed at Server"],
  ["… and so does any other mistake", [route([SERVER, { name: "" }], [GOOD])], "closed at Server"],
  ["… for clients nothing is in force then", [route([SERVICE, SERVER], [GOOD, BAD])], "closed at Server"],
  ["… unless it was good before: that stays", [route([SERVER], [GOOD]), route([SERVER], [GOOD, BAD])], "/a"],
  ["… and was not removed", [route([SERVER], [GOOD]), "removed", route([SERVER], [BAD])], "closed at Server"],
  ["… until it can be read", [route([SERVER], [BAD]), route([SERVER], [GOOD])], "/a"],
])("change() of a route: %s", (_title, states, wanted) => {
  for (const atOnce of [false, true]) expect(shown(after(states, atOnce))).toBe(wanted);
});
