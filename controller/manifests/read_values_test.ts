import { expect, test } from "bun:test";
import { manifests } from "./manifests.ts";
import { mergeValues, setValue } from "./read_values.ts";
import { recordValues, VALUES_ANNOTATION } from "./record.ts";
import { defaultValues } from "./values.ts";

const BASE = defaultValues("1.2.3");

test.each([
  ["controllerReplicas=3", { controllerReplicas: 3 }],
  ["createIssuer=false", { createIssuer: false }],
  ["controllerResources.memoryLimit=2Gi", { controllerResources: { ...BASE.controllerResources, memoryLimit: "2Gi" } }],
  ["podMonitor.labels.release=prom", { podMonitor: { ...BASE.podMonitor, labels: { release: "prom" } } }],
  ["sidecar.tulle.dev/access-log=json", { sidecar: { "tulle.dev/access-log": "json" } }],
  ["sidecar.proxy-cpu-request=a=b,c", { sidecar: { "proxy-cpu-request": "a=b,c" } }],
  ['controllerTolerations=[{"operator":"Exists"}]', { controllerTolerations: [{ operator: "Exists" }] }],
])("--set %s", (assignment, changed) => {
  expect(setValue(BASE, assignment)).toEqual({ ...BASE, ...changed });
});

test.each([
  ["contrllerReplicas=3", "nobody knows the value contrllerReplicas; did you mean controllerReplicas?"],
  ["podMonitor.enable=true", "nobody knows the value podMonitor.enable; did you mean enabled?"],
  ["controllerReplicas=many", 'controllerReplicas: found "many", want a number 1–9'],
  ["controllerReplicas=0", "controllerReplicas: found 0, want a number 1–9"],
  ["createIssuer=no", 'createIssuer: found "no", want true or false'],
  ["logLevel=loud", 'logLevel: found "loud", want debug, info, warn or error'],
  ["image.tag=1", "image has no keys of its own; want an image such as tulle:1.2.3"],
  ["agentResources=1", "agentResources: found 1, want a mapping"],
  ["image=x,logLevel=debug", "give --set again for logLevel"],
  ["controllerTolerations=[", "want JSON of a list"],
  ["image", "want key=value"],
  ["version=9", "nobody knows the value version"],
])("--set %s is refused", (assignment, message) => {
  expect(() => setValue(BASE, assignment)).toThrow(message);
});

test("a file of values that is no mapping is refused", () => {
  expect(() => mergeValues(BASE, ["image"], "values.yaml")).toThrow('values.yaml: found ["image"], want a mapping');
});

test("what differs from the defaults is kept for the upgrade, and nothing else", () => {
  const values = setValue(setValue(BASE, "podMonitor.enabled=true"), "logLevel=debug");
  const kept = recordValues(manifests(values), values).flatMap((object) => {
    const { annotations } = object["metadata"] as { annotations?: Record<string, string> };
    return annotations?.[VALUES_ANNOTATION] ?? [];
  });
  expect(kept.map((text) => JSON.parse(text))).toEqual([{ podMonitor: { enabled: true }, logLevel: "debug" }]);
});
