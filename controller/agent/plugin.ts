/**
 * The CNI plugin: the last of a node's chain. It asks the agent whether the pod is meshed, and captures its traffic.
 *
 * When the agent does not answer, the pod's interface is made all the same: its sidecar sees that nothing is captured and
 * does not become ready, so none of the pod's other containers starts, and the agent repairs it in place. A mesh in trouble
 * thus holds up its own pods and no others.
 */
import { readFileSync, writeSync } from "node:fs";
import { errorText } from "../../src/base/error.ts";
import { hasCapture, installCapture } from "../../src/capture/capture.ts";
import { Namespace } from "../../src/capture/namespace.ts";
import { askAgent } from "./agent_socket.ts";
import type { CaptureAnswer } from "./pod_capture.ts";
import { CniCode, CniError, type PluginRequest, readRequest, SUPPORTED_VERSIONS } from "./plugin_request.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** Runs the command that the environment names, answers on standard output, and sets the exit status. */
export async function runPlugin(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  let cniVersion = "1.0.0";
  try {
    const request = readRequest(env, readFileSync(STDIN, "utf8"));
    cniVersion = request.cniVersion;
    const answer = await runCommand(request);
    if (answer !== null) print(answer);
  } catch (error) {
    const { code, message, details } = error instanceof CniError
      ? error
      : new CniError(CniCode.IO, `tulle: ${errorText(error)}`);
    print({ cniVersion, code, msg: message, details });
    process.exitCode = 1;
  }
}

/** @returns what standard output is to hold, or null for nothing */
async function runCommand(request: PluginRequest): Promise<unknown> {
  switch (request.command) {
    case "VERSION":
      return { cniVersion: request.cniVersion, supportedVersions: SUPPORTED_VERSIONS };
    case "ADD":
      await add(request);
      return request.prevResult;
    case "CHECK":
      await check(request);
      return null;
    case "DEL": // the rules go with the namespace
    case "GC":
    case "STATUS": // ready whatever the agent does, see above
      return null;
    default:
      return request.command satisfies never;
  }
}

async function add(request: PluginRequest): Promise<void> {
  const answer = await ask(request);
  if (answer?.meshed !== true) return;
  for (const problem of answer.problems) warn(problem);
  try {
    using namespace = Namespace.open("net", request.netns);
    namespace.run(() => installCapture(answer.plan));
  } catch (error) {
    const pod = `${request.podNamespace}/${request.podName}`;
    throw new CniError(CniCode.CAPTURE, `tulle: cannot capture the traffic of pod ${pod}: ${errorText(error)}`);
  }
}

async function check(request: PluginRequest): Promise<void> {
  const answer = await ask(request);
  if (answer?.meshed !== true) return;
  using namespace = Namespace.open("net", request.netns);
  if (namespace.run(hasCapture)) return;
  const pod = `${request.podNamespace}/${request.podName}`;
  throw new CniError(
    CniCode.NOT_CAPTURED,
    `tulle: the traffic of pod ${pod} is not captured: table inet tulle is missing`,
  );
}

/** @returns null outside Kubernetes, or when the agent does not answer */
async function ask({ socket, podNamespace, podName, podUid }: PluginRequest): Promise<CaptureAnswer | null> {
  if (podName === "") return null;
  try {
    return await askAgent(socket, { namespace: podNamespace, name: podName, uid: podUid });
  } catch (error) {
    warn(`pod ${podNamespace}/${podName}: ${errorText(error)}; the agent will repair it if it is meshed`);
    return null;
  }
}

function print(answer: unknown): void {
  writeSync(STDOUT, `${JSON.stringify(answer)}\n`);
}

/** Runtimes keep what plugins write here in their log. */
function warn(text: string): void {
  writeSync(STDERR, `tulle-cni: ${text}\n`);
}
