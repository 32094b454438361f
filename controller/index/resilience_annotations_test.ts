import { expect, test } from "bun:test";
import { service, workload, world } from "./_testing.ts";

const ACCRUAL = "balancer.tulle.dev/failure-accrual";

/** Warnings of a Service with these annotations, without its name. */
function warningsOf(annotations: string): string[] {
  const text = workload("web", "10.1.0.1") + service("web", "10.96.0.1", undefined, `, annotations: {${annotations}}`);
  return world(text).warnings().map(({ detail }) => detail.replace("annotation ", "").replaceAll(ACCRUAL, "…"));
}

test.each([
  [`${ACCRUAL}-success-rate-percent: "90"`, '…-success-rate-percent: found "90", want …: unified beside it'],
  [`${ACCRUAL}-window: 5s`, '…-window: found "5s", want …: unified or …-slow-after beside it'],
  [`${ACCRUAL}-max-slow-percent: "5"`, '…-max-slow-percent: found "5", want …-slow-after beside it'],
  [`${ACCRUAL}-consecutive-min-penalty: 5s`, '…-consecutive-min-penalty: found "5s", want … beside it'],
  ["retry.tulle.dev/hedge-methods: PUT", 'hedge-methods: found "PUT", want retry.tulle.dev/hedge beside it'],
  ['retry.tulle.dev/limit: "3"', 'limit: found "3", want retry.tulle.dev/http or retry.tulle.dev/grpc beside it'],
  [
    `${ACCRUAL}: consecutive, ${ACCRUAL}-consecutive-min-penalty: 10s, ${ACCRUAL}-consecutive-max-penalty: 1s`,
    '…-consecutive-max-penalty: found "1s", want a duration such as 500ms, 10s, 1m30s or 24h, at least 10000ms',
  ],
  [`${ACCRUAL}: unified, ${ACCRUAL}-window: 1ms`, '…-window: found "1ms", want a duration such as 500ms'],
])("annotations that do nothing, or not what is meant, are warned of: %s", (annotations, warning) => {
  expect(warningsOf(annotations)).toEqual([expect.stringContaining(warning)]);
});

test("annotations that have what they add to are not warned of", () => {
  const slow = `${ACCRUAL}-slow-after: 40ms, ${ACCRUAL}-window: 5s, ${ACCRUAL}-max-slow-percent: "5"`;
  const row = `${ACCRUAL}: consecutive, ${ACCRUAL}-consecutive-max-failures: "3"`;
  const retry = 'retry.tulle.dev/http: 5xx, retry.tulle.dev/limit: "3"';
  expect(warningsOf(`${slow}, ${row}, ${retry}, retry.tulle.dev/hedge: 1s, retry.tulle.dev/hedge-methods: PUT`))
    .toEqual([]);
});
