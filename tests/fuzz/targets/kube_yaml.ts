import { parseTarget } from "../../../controller/core/target.ts";
import { OPTIONS } from "../../../controller/index/_testing.ts";
import { World } from "../../../controller/index/world.ts";
import { NO_ADDRESSES } from "../../../controller/kube/addresses.ts";
import { parseFile } from "../../../controller/kube/parse_file.ts";
import { formatProblem } from "../../../controller/kube/problem.ts";
import { ResourceStore } from "../../../controller/kube/store.ts";
import { type Encoded, encodeInbound, encodeOutbound, responseOf } from "../../../controller/serve/encode.ts";
import { toBinary } from "@bufbuild/protobuf";
import { SubscribeResponseSchema } from "../../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { decodeSnapshot } from "../../../src/discovery/decode_snapshot.ts";
import { holds, type Target } from "../target.ts";
import { KUBE_SEEDS, KUBE_TOKENS, kubeYaml } from "./_kube.ts";

export const target: Target = {
  about:
    "a folder's YAML: refused with the file's name, or objects of which the controller makes snapshots that proxies take",
  seeds: KUBE_SEEDS,
  dictionary: KUBE_TOKENS,
  maxBytes: 3000,
  generate: kubeYaml,
  run(input) {
    const text = new TextDecoder().decode(input);
    const { resources, errors, warnings } = parseFile("mesh.yaml", text);
    for (const problem of [...errors, ...warnings]) {
      const line = formatProblem(problem);
      holds(line.startsWith("mesh.yaml") && line.length > 12, `a problem without its file: ${line}`);
      holds(line.length < 1_000, `a problem of ${line.length} characters`);
    }
    holds(errors.length === 0 || resources.length === 0, "half a file is in force");
    if (resources.length === 0) return;
    const store = new ResourceStore();
    store.replace(resources.map((placed) => placed.resource));
    const world = new World(store, NO_ADDRESSES, OPTIONS);
    for (const warning of world.warnings()) holds(JSON.stringify(warning).length > 2, "an empty warning");
    for (const { service, ports } of world.services()) {
      const [namespace = "", name = ""] = service.split("/");
      for (const { port } of ports) {
        const text = `${name}.${namespace}:${port}`;
        const parsed = parseTarget(text);
        if (parsed !== null) taken(`outbound/${text}`, encodeOutbound(world.outbound(parsed, namespace, "")));
      }
    }
    for (const { workload } of world.workloads()) {
      const [namespace = "", name = ""] = workload.split("/");
      const inbound = world.inbound(namespace, name);
      if (inbound !== null) taken("inbound", encodeInbound(inbound));
    }
  },
};

/** What the controller sends must be taken by the proxy: they check the same things. */
function taken(name: string, encoded: Encoded): void {
  const message = toBinary(SubscribeResponseSchema, responseOf(name, encoded, true));
  const snapshot = decodeSnapshot(message);
  holds(snapshot.ok, `the proxy refuses what the controller made: ${snapshot.ok ? "" : snapshot.error}`);
}
