/** Runs `tulle` beside a sidecar, by kubectl exec: kubectl knows every way to log in, and the binary is there. */
import { UsageError } from "../../src/base/error.ts";
import { SIDECAR_CONTAINER } from "../core/cluster_names.ts";
import type { KubeOptions } from "./_kube_options.ts";

/** Longest time for the command, milliseconds. */
const TIMEOUT_MS = 20_000;
/** Where the binary is in the image. */
const PROGRAM = "/usr/local/bin/tulle";

/**
 * @param argv arguments of tulle
 * @returns its standard output
 * @throws UsageError without kubectl, Error with the command's words when it printed nothing
 */
export async function execInSidecar(
  options: KubeOptions,
  pod: { readonly namespace: string; readonly name: string },
  argv: readonly string[],
): Promise<string> {
  if (Bun.which("kubectl") === null) {
    throw new UsageError(
      "kubectl is not on the PATH: it runs what looks at a pod; or give --address of a sidecar you reach",
    );
  }
  const where = ["-n", pod.namespace, pod.name, "-c", SIDECAR_CONTAINER];
  const cluster = [
    ...(options.kubeconfig === undefined ? [] : [`--kubeconfig=${options.kubeconfig}`]),
    ...(options.context === undefined ? [] : [`--context=${options.context}`]),
  ];
  const child = Bun.spawn(["kubectl", "exec", ...cluster, ...where, "--", PROGRAM, ...argv], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: TIMEOUT_MS,
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  if (stdout === "") throw new Error(`kubectl exec: ${stderr.trim() || "it does not answer in time"}`);
  return stdout;
}
