import { expect, test } from "bun:test";
import type { RetryPolicy } from "../../model/outbound.ts";
import { IS_GRPC } from "../../wire/header_block.ts";
import { Attempts } from "./attempts.ts";
import type { Exchange } from "./exchange.ts";
import { accountOf, accountOfResponse, MAX_FREE_TRIES, RetryBudget } from "./retry.ts";
import { type Failure, failure, unsent } from "../upstream/failure.ts";

const refused = unsent("connect_failed", "");
const stale = unsent("upstream_closed", "");
const broke = failure("upstream_reset", "");
const late = failure("timeout", "");

interface Given {
  readonly method?: string;
  readonly isGrpc?: boolean;
  readonly retry?: Partial<RetryPolicy> | null;
  readonly retries?: number;
  readonly free?: number;
  readonly canReplay?: boolean;
}

function exchange({ method = "GET", isGrpc = false, retry = null, retries = 0, free = 0, canReplay = true }: Given) {
  const history = new Attempts(refused);
  history.retries = retries;
  history.free = free;
  const policy = { limit: 2, statusCodes: new Set([503]), grpcStatuses: 1 << 14, connectionError: true, backoffMs: 0 };
  return {
    request: { method, flags: isGrpc ? IS_GRPC : 0 },
    rule: { retry: retry === null ? null : { ...policy, ...retry } },
    history,
    canReplay,
  } as unknown as Exchange; // what the decision reads
}

test.each<[string, Given, Failure, string]>([
  ["nobody saw a POST", { method: "POST" }, refused, "free"],
  ["… but enough were asked", { method: "POST", free: MAX_FREE_TRIES }, refused, "limit"],
  ["… and its body is gone", { method: "POST", canReplay: false }, refused, "no"],
  ["policy refused it", {}, unsent("denied", ""), "no"],
  ["an idle connection was closed under a PUT", { method: "PUT" }, stale, "free"],
  ["… under a POST: the server may have acted", { method: "POST" }, stale, "no"],
  ["a connection broke under a GET: safe without being asked", {}, broke, "budget"],
  ["… three times", { retries: 2 }, broke, "limit"],
  ["… under a PUT: idempotent, nobody asked", { method: "PUT" }, broke, "no"],
  ["… and the rule asked", { method: "PUT", retry: {} }, broke, "budget"],
  ["… and the rule wants none", { retry: { limit: 0 } }, broke, "limit"],
  ["… under a POST whatever the rule says", { method: "POST", retry: {} }, broke, "no"],
  ["a GET took too long, nobody asked", {}, late, "no"],
  ["… and the rule asked", { retry: {} }, late, "budget"],
  ["gRPC: a broken connection is UNAVAILABLE, which the rule retries", grpc({ retry: {} }), broke, "budget"],
  ["… which it does not", grpc({ retry: { grpcStatuses: 1 << 13 } }), broke, "no"],
  ["… a timeout is DEADLINE_EXCEEDED, which it does not", grpc({ retry: {} }), late, "no"],
  ["… nobody asked", grpc({}), broke, "no"],
])(
  "accountOf(): %s",
  (_title, given, error, account) => expect(accountOf(exchange(given), error)).toBe(account as never),
);

test.each<[string, Given, number, number, string]>([
  ["a status of the rule, whatever the method", { method: "POST", retry: {} }, 503, -1, "budget"],
  ["another status", { retry: {} }, 500, -1, "no"],
  ["no rule", {}, 503, -1, "no"],
  ["a gRPC status of the rule", grpc({ retry: {} }), 200, 14, "budget"],
  ["another one", grpc({ retry: {} }), 200, 5, "no"],
  ["often enough", { retry: {}, retries: 2 }, 503, -1, "limit"],
])("accountOfResponse(): %s", (_title, given, status, grpcStatus, account) => {
  expect(accountOfResponse(exchange(given), status, grpcStatus)).toBe(account as never);
});

function grpc(given: Given): Given {
  return { ...given, method: "POST", isGrpc: true };
}

test("RetryBudget allows a fifth of the requests, and a little without any", () => {
  const budget = new RetryBudget(0);
  const take = (nowMs: number) => {
    let taken = 0;
    while (budget.withdraw(nowMs)) taken++;
    return taken;
  };
  take(0); // what it starts with
  for (let i = 0; i < 1000; i++) budget.deposit();
  expect(take(0)).toBeWithin(99, 201);
  expect(take(1000)).toBe(10);
});
