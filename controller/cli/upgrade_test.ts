import { expect, test } from "bun:test";
import { restartLines } from "./_meshed_workloads.ts";
import { compareVersions, keptValues } from "./upgrade.ts";

test.each(
  [["0.1.0", "0.1.0", 0], ["0.1.0", "0.2.0", -1], ["0.10.0", "0.9.9", 1], ["1.0.0-rc.1", "1.0.0", -1]] as const,
)(
  "version %s beside %s: %d",
  (a, b, sign) => expect(Math.sign(compareVersions(a, b))).toBe(sign),
);

test("the installed values are kept, and the image goes along with the version", () => {
  const values = { image: "registry.example:5000/tulle:0.1.0", logLevel: "debug", podMonitor: { enabled: true } };
  const kept = keptValues({ version: "0.1.0", image: "", values }, "0.2.0");
  expect(kept).toMatchObject({
    image: "registry.example:5000/tulle:0.2.0",
    logLevel: "debug",
    podMonitor: { enabled: true, interval: "30s" },
    version: "0.2.0",
  });
  expect(keptValues({ version: "0.1.0", image: "", values: { image: "mine:stable" } }, "0.2.0").image).toBe(
    "mine:stable",
  );
  expect(keptValues({ version: "0.1.0", image: "", values: {} }, "0.2.0").image).toBe("tulle:0.2.0");
});

test("a value that this version does not know is named", () => {
  expect(() => keptValues({ version: "9.0.0", image: "", values: { colour: "red" } }, "0.1.0"))
    .toThrow("the installed values: nobody knows the value colour");
});

test("workloads are restarted by namespace, and what no rollout makes anew is told", () => {
  const pod = (namespace: string, kind: string, workload: string) => ({
    namespace,
    kind,
    workload,
    name: `${workload}-0`,
  });
  const pods = [
    pod("shop", "StatefulSet", "db"),
    pod("shop", "Deployment", "web"),
    pod("shop", "Deployment", "web"),
    pod("a", "DaemonSet", "log"),
    pod("shop", "Pod", "front"),
    pod("shop", "CronJob", "night"),
  ];
  expect(restartLines(pods)).toEqual([
    "kubectl -n a rollout restart daemonset/log",
    "kubectl -n shop rollout restart deployment/web statefulset/db",
    "# delete and make again: pod/front of shop",
  ]);
});
