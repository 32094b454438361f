/** `tulle agent`: its command line. */
import { Option } from "commander";
import { LOG_LEVELS } from "../../src/base/log.ts";
import { type AgentSettings, runAgent } from "../agent/agent.ts";
import { AGENT_SOCKET } from "../core/cluster_names.ts";
import { runCommand, teachingCommand } from "./_command.ts";
import { parseAddress } from "./_endpoint.ts";

const EXAMPLES = ["tulle agent --node node-1", "tulle agent --node node-1 --cni-conf-dir /host/etc/cni/net.d"];

const NOTES = `
It puts the plugin at the end of the node's network configuration, keeps it there, tells it which pods are meshed, and
captures in place the traffic of meshed pods that started without it. Needs the node's network and PID namespaces,
CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_SYS_PTRACE. When its DaemonSet is deleted it takes the plugin out again.`;

/** Parses the command line and runs the agent. @param argv arguments after "agent" */
export async function runAgentCommand(argv: readonly string[]): Promise<void> {
  const command = teachingCommand(
    "agent",
    "Capture the traffic of a node's meshed pods (a DaemonSet runs it).",
    EXAMPLES,
  )
    .addOption(new Option("--node <name>", "the node's name").env("NODE_NAME").makeOptionMandatory())
    .option("--cni-bin-dir <folder>", "where the node's network plugins are", "/opt/cni/bin")
    .option("--cni-conf-dir <folder>", "where the node's network configuration is", "/etc/cni/net.d")
    .option("--socket <path>", "where the plugin asks", AGENT_SOCKET)
    .addOption(
      new Option("--admin <address>", "/metrics /ready /live").argParser(parseAddress)
        .default(parseAddress("0.0.0.0:9991"), "0.0.0.0:9991"),
    )
    .option("--kubeconfig <file>", "how to reach the cluster; in a pod it is not needed")
    .option("--context <name>", "context of the kubeconfig")
    .addOption(new Option("--log-level <level>", "least level that is logged").choices([...LOG_LEVELS]).default("info"))
    .addHelpText("after", NOTES)
    .action((values: AgentSettings) =>
      runAgent({ ...values, kubeconfig: values.kubeconfig ?? null, context: values.context ?? null })
    );
  await runCommand(command, argv);
}
