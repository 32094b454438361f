import { expect, jest, onTestFinished, test } from "bun:test";
import { decodeResource } from "../kube/decode.ts";
import { ResourceStore } from "../kube/store.ts";
import { nextFaultEndMs, PolicyJudge, type PolicyResource } from "../index/policy_status.ts";
import { Alarm, MAX_ALARM_MS } from "./_alarm.ts";

const MADE_MS = Date.parse("2026-11-21T20:00:00Z");

function fault(name: string, end: object) {
  const { resource } = decodeResource({
    apiVersion: "policy.tulle.dev/v1alpha1",
    kind: "FaultInjection",
    metadata: { name, namespace: "shop", creationTimestamp: "2026-11-21T20:00:00Z" },
    spec: { targetRef: { kind: "Service", name: "web" }, reset: true, ...end },
  });
  if (resource === null) throw new Error(`${name} cannot be read`);
  return resource as PolicyResource; // by its kind
}

test("A fault is judged again when it ends, and the next one when that does", () => {
  jest.useFakeTimers();
  onTestFinished(() => void jest.useRealTimers());
  const service = decodeResource({
    ...{ apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "shop" } },
    spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] },
  }).resource;
  const faults = [
    fault("a", { for: "3s" }),
    fault("b", { until: "2026-11-21T20:00:07.5Z" }),
    fault("c", { for: "1h" }),
  ];
  const store = new ResourceStore();
  store.replace([...faults, ...(service === null ? [] : [service])]);

  let nowMs = MADE_MS + 1;
  const told: string[][] = [];
  const look = () => {
    const judge = new PolicyJudge(store, nowMs);
    told.push(faults.map((each) => judge.conditions(each)[0]?.reason ?? ""));
    alarm.set(nextFaultEndMs(store, nowMs));
  };
  const alarm = new Alarm(() => nowMs, look);
  const pass = (ms: number) => {
    nowMs += ms;
    jest.advanceTimersByTime(ms);
  };
  look();
  expect(told.splice(0)).toEqual([["Accepted", "Accepted", "Accepted"]]);
  pass(2998);
  expect(told).toEqual([]);
  pass(1);
  expect(told.splice(0)).toEqual([["Expired", "Accepted", "Accepted"]]);
  pass(4500);
  expect(told.splice(0)).toEqual([["Expired", "Expired", "Accepted"]]);
  pass(MAX_ALARM_MS); // the hour is left to the rounds before it
  expect(told).toEqual([]);
});

test("An alarm that is set again, or closed, is not due for what was before", () => {
  jest.useFakeTimers();
  onTestFinished(() => void jest.useRealTimers());
  let due = 0;
  const alarm = new Alarm(() => 0, () => due++);
  alarm.set(1000);
  alarm.set(5000);
  jest.advanceTimersByTime(4999);
  expect(due).toBe(0);
  jest.advanceTimersByTime(1);
  expect(due).toBe(1);
  alarm.set(1000);
  alarm.set(null);
  alarm.set(1000);
  alarm.close();
  alarm.set(1000);
  jest.advanceTimersByTime(60_000);
  expect(due).toBe(1);
});
