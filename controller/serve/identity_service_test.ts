import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import { expect, test } from "bun:test";
import { IdentityService } from "../../proto/gen/tulle/identity/v1/identity_pb.ts";
import { createLogger } from "../../src/base/log.ts";
import { Registry } from "../core/metrics.ts";
import type { Authority } from "../core/issuing.ts";
import { IdentityHandler } from "./identity_service.ts";
import { serveMetrics } from "./metrics.ts";
import { CALLER, REFUSED } from "./peer.ts";

const AUTHORITY: Authority = {
  bundle: { trustDomain: "cluster.local", roots: [], version: 1 },
  onBundle: () => () => {},
  certify: () => Promise.reject(new Error("not asked here")),
};

function handler(): IdentityHandler {
  const log = createLogger({ level: "error", now: Date.now, write: () => {} });
  return new IdentityHandler(AUTHORITY, serveMetrics(new Registry()), log);
}

/** What ends the call, or the code with which it is refused. */
function admitted(
  identity: IdentityHandler,
  method: keyof typeof IdentityService.method,
  caller: string,
  isRefused = false,
): AbortController | Code {
  const call = new AbortController();
  const values = createContextValues().set(CALLER, caller).set(REFUSED, isRefused);
  try {
    identity.admit({ method: IdentityService.method[method], values, signal: call.signal });
    return call;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

test("watchers have a place each until their call ends, and no caller has more than its share", () => {
  const identity = handler();
  const calls: AbortController[] = [];
  let last = admitted(identity, "watchTrust", "greedy");
  for (; last instanceof AbortController; last = admitted(identity, "watchTrust", "greedy")) calls.push(last);
  expect(last).toBe(Code.Unavailable);
  expect(calls.length).toBe(5_000);
  expect(admitted(identity, "watchTrust", "other")).toBeInstanceOf(AbortController);
  for (const call of calls.slice(0, 2)) call.abort();
  expect(admitted(identity, "watchTrust", "greedy")).toBeInstanceOf(AbortController);
});

test("who found no place in the waiting room is refused, and told to come again", () => {
  const identity = handler();
  expect(admitted(identity, "certify", "greedy", true)).toBe(Code.ResourceExhausted);
  expect(admitted(identity, "certify", "greedy")).toBeInstanceOf(AbortController);
});
