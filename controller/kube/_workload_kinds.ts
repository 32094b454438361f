/** Decoder of ExternalWorkload (workload.tulle.dev/v1alpha1): a workload that no kubelet runs. */
import type { Reader } from "./_reader.ts";
import { isLabelName, isObjectName, LABEL_NAME_FORM, OBJECT_NAME_FORM, readIp, readMeta } from "./_meta.ts";
import { isSpiffeId, SPIFFE_FORM } from "./_policy_kinds.ts";
import type { ExternalWorkload, WorkloadRun } from "./resources.ts";

/** Most replicas of one workload on one machine: each is a process, a sidecar and a network namespace. */
export const MAX_REPLICAS = 256;
/** Most ports, arguments and variables of one workload: far above any real one, and bounds the snapshot. */
const MAX_PORTS = 256;
const MAX_ARGUMENTS = 1024;

export function readExternalWorkload(root: Reader): ExternalWorkload {
  const meta = readMeta(root, true);
  const spec = root.object("spec");
  const tls = spec.objectOr("meshTLS");
  const identity = tls?.text("identity", SPIFFE_FORM, isSpiffeId) ?? null;
  tls?.ignore("serverName");
  tls?.done();
  const workloadIPs = spec.objects("workloadIPs", MAX_REPLICAS, (item) => {
    const ip = readIp(item, item.raw("ip"), [...item.path, "ip"]);
    item.done();
    return ip;
  });
  const ports = spec.objects("ports", MAX_PORTS, (item) => {
    const port = {
      name: item.textOr("name", "", LABEL_NAME_FORM, isLabelName),
      port: item.int("port", 1, 65535),
      protocol: item.oneOf("protocol", ["TCP", "UDP"] as const, "TCP"),
      appProtocol: item.textOr("appProtocol", null, "a protocol such as http, grpc or kubernetes.io/h2c"),
    };
    item.done();
    return port;
  });
  const run = spec.objectOr("run");
  const external: ExternalWorkload = {
    kind: "ExternalWorkload",
    meta,
    serviceAccountName: spec.textOr("serviceAccountName", "default", OBJECT_NAME_FORM, isObjectName),
    identity,
    workloadIPs,
    ports,
    run: run === null ? null : readRun(run),
    ready: readReady(root),
  };
  spec.done();
  return external;
}

function readRun(run: Reader): WorkloadRun {
  const command = run.list("command", MAX_ARGUMENTS, "texts", (item, path) => {
    // An argument may be empty, and numbers are what people write for ports.
    if (typeof item === "string") return item;
    run.fail(path, `found ${String(item)}, want text (put it in quotes)`);
    return "";
  });
  if (command.length === 0) run.bad("command", 'the program and its arguments, such as ["node", "server.js"]');
  else if (command[0] === "") run.fail([...run.path, "command", 0], "found an empty text, want the program to run");
  const env = run.objects("env", MAX_ARGUMENTS, (item) => {
    const name = item.text("name", "the name of a variable", (text) => /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text));
    const value = item.raw("value") === "" ? "" : item.textOr("value", "", "text");
    item.done();
    return { name, value };
  });
  const read: WorkloadRun = {
    replicas: run.intOr("replicas", 1, 0, MAX_REPLICAS),
    command,
    workingDir: run.textOr("workingDir", null, "a folder"),
    env,
  };
  run.done();
  return read;
}

/** Condition Ready, as those who watch the workload report it; no condition means ready. */
function readReady(root: Reader): boolean {
  const status = root.objectOr("status");
  if (status === null) return true;
  const conditions = status.list("conditions", 64, "conditions", (item) => item);
  return !conditions.some((item) => {
    if (typeof item !== "object" || item === null) return false;
    const { type, status: value } = item as { type?: unknown; status?: unknown }; // checked field by field
    return type === "Ready" && value === "False";
  });
}
