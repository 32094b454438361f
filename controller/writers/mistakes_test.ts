import { expect, test } from "bun:test";
import type { Problem } from "../kube/problem.ts";
import { mistakesOf } from "./mistakes.ts";

function problem(object: string, severity: Problem["severity"], path: string, detail: string): Problem {
  return { severity, file: "", line: 0, column: 0, path, object, detail };
}

test("mistakesOf() makes one of all that is wrong with an object", () => {
  const problems = [
    problem("Server shop/web", "error", "spec.port", "found 0, want 1"),
    problem("Server shop/web", "warning", "", "odd"),
  ];
  const warnings = [
    { object: "Server shop/web", detail: "it selects nothing" },
    { object: "HTTPRoute shop/split", detail: "its backend is missing" },
  ];
  expect(mistakesOf(problems, warnings)).toEqual([
    { object: "Server shop/web", isRefused: true, text: "spec.port: found 0, want 1; odd; it selects nothing" },
    { object: "HTTPRoute shop/split", isRefused: false, text: "its backend is missing" },
  ]);
});

test("mistakesOf() passes over what is Kubernetes' own business, though not our annotations on it", () => {
  const annotation = 'metadata.annotations["tulle.dev/opaqe-ports"]';
  const problems = [
    problem("Service shop/web", "warning", "spec.newField", "unknown key"),
    problem("Service shop/web", "warning", annotation, "unknown annotation"),
    problem("Pod shop/web-0", "error", "spec", "found nothing"),
  ];
  const warnings = [
    { object: "Service shop/api", detail: "its selector selects no workload" },
    { object: "Service shop/slow", detail: 'annotation timeout.tulle.dev/request: found "5", want a duration' },
  ];
  expect(mistakesOf(problems, warnings).map(({ object, text }) => [object, text])).toEqual([
    ["Service shop/web", `${annotation}: unknown annotation`],
    ["Pod shop/web-0", "spec: found nothing"],
    ["Service shop/slow", 'annotation timeout.tulle.dev/request: found "5", want a duration'],
  ]);
});
