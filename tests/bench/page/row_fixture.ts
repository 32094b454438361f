/** A row with valid values, for the tests of the page. */
import type { Row } from "../rows.ts";

export function rowFixture(more: Partial<Row>): Row {
  const plain = {
    case: "pair-h1-c32",
    proxy: "tulle",
    unit: "requests/s",
    rate: 1000,
    cpuUs: 20,
    cpuUsA: 10,
    cpuUsB: 10,
    p50Us: 100,
    p99Us: 200,
    p999Us: 300,
    curveUs: [100, 120, 150, 170, 200, 250, 300],
    rssMb: 30,
    anonMb: 5,
    failed: 0,
    busy: 0.9,
    rounds: 3,
    others: 0,
    steal: 0,
    ...more,
  };
  const range = (value: number) => [value, value] as const;
  const spread = {
    rate: range(plain.rate),
    cpuUs: range(plain.cpuUs),
    p50Us: range(plain.p50Us),
    p99Us: range(plain.p99Us),
  };
  return { ...plain, spread, ...more };
}
