/** The chart says what `tulle install` says, and refuses what it refuses. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { VALUES_ANNOTATION } from "../../controller/manifests/record.ts";
import { canHaveHelm, helmProgram } from "../support/helm.ts";
import { run } from "../support/process.ts";
import { tulleCommand } from "../support/tulle_command.ts";

setDefaultTimeout(120_000);
const BUILD_TIMEOUT_MS = 1_000_000;
const CHART = join(import.meta.dirname, "../../deploy/helm/tulle");
const MANIFESTS = join(import.meta.dirname, "../../deploy/manifests/tulle.yaml");

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
}

/** Objects by kind and name. But for Helm there is an annotation, in which the next upgrade finds the values. */
function objects(yaml: string): Record<string, Manifest> {
  return Object.fromEntries(
    parseAllDocuments(yaml).map((document) => document.toJS() as Manifest | null).flatMap((object) => {
      if (object === null) return [];
      const { annotations, ...metadata } = object.metadata;
      const { [VALUES_ANNOTATION]: _, ...kept } = annotations ?? {};
      const all = Object.keys(kept).length === 0 ? metadata : { ...metadata, annotations: kept };
      return [[`${object.kind}/${object.metadata.name}`, { ...object, metadata: all }]];
    }),
  );
}

async function install(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run({ argv: [...tulleCommand(), "install", ...args], timeoutMs: 60_000 });
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

test("deploy/manifests/tulle.yaml is what tulle install prints", async () => {
  expect(objects(await Bun.file(MANIFESTS).text())).toEqual(objects(await install([])));
});

describe.skipIf(!canHaveHelm())("the Helm chart", () => {
  let helm = "";
  beforeAll(async () => void (helm = await helmProgram()), BUILD_TIMEOUT_MS);

  const helmRun = (...args: string[]) => run({ argv: [helm, ...args], timeoutMs: 60_000 });

  test("passes helm lint", async () => {
    const { code, stdout } = await helmRun("lint", "--strict", CHART);
    expect(`${stdout}${code}`).toEndWith("1 chart(s) linted, 0 chart(s) failed\n0");
  });

  test.each([
    [[]],
    [["controllerReplicas=2", "createIssuer=false", "image=registry.example:5000/a/tulle@sha256:00ff"]],
    [["podMonitor.enabled=true", "podMonitor.interval=10s", "podMonitor.labels.release=prom", "installCrds=false"]],
    [["sidecar.proxy-log-level=warn", "sidecar.access-log=json", "logLevel=debug", "defaultInboundPolicy=deny"]],
    [["trustDomain=a.example", "clusterDomain=b.example", "clusterNetworks=10.0.0.0/8", "imagePullPolicy=Always"]],
    [["controllerResources.memoryLimit=2Gi", "agentResources.cpuRequest=1", "agentPriorityClass=high"]],
    [["cniBinDir=/home/kubernetes/bin", "cniConfDir=/etc/cni/multus", "controllerPriorityClass=high"]],
    [["controllerNodeSelector.disk=ssd", "controllerNodeSelector.arch=amd64"]],
  ])("gives what tulle install gives for %j", async (values) => {
    // Helm makes a number of all that looks like one, whatever the schema says.
    const set = values.flatMap((value) => [value.startsWith("agent") ? "--set-string" : "--set", value]);
    const { code, stdout, stderr } = await helmRun("template", "tulle", CHART, ...set);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(objects(stdout)).toEqual(objects(await install(values.flatMap((value) => ["--set", value]))));
  });

  test("takes lists as tulle install -f takes them", async () => {
    const values = 'controllerTolerations: [{key: control, operator: "Exists"}]\n';
    const argv = [helm, "template", "tulle", CHART, "-f", "-"];
    const { stdout } = await run({ argv, stdin: values, timeoutMs: 60_000 });
    const own = await run({ argv: [...tulleCommand(), "install", "-f", "-"], stdin: values, timeoutMs: 60_000 });
    expect(objects(stdout)).toEqual(objects(own.stdout));
    expect(own.stdout).toContain("key: control");
  });

  test("leaves the namespace to Helm when the release lives in it", async () => {
    const { stdout } = await helmRun("template", "tulle", CHART, "-n", "tulle");
    const { "Namespace/tulle": _, ...rest } = objects(await install([]));
    expect(objects(stdout)).toEqual(rest);
  });

  test.each(["contrllerReplicas=2", "controllerReplicas=0", "logLevel=loud", "podMonitor.enable=true"])(
    "refuses %s, as tulle install does",
    async (value) => {
      const { code, stderr } = await helmRun("template", "tulle", CHART, "--set", value);
      expect(code).toBe(1);
      expect(stderr).toContain(value.split("=")[0]?.split(".").at(-1) ?? "");
      await expect(install(["--set", value])).rejects.toThrow("--set");
    },
  );
});
