/**
 * The objects of `tulle install` → templates of a Helm chart. The builders are run with marks in the place of values; what
 * they print is searched for the marks, and each becomes the template's expression. So the chart can say nothing that the
 * builders do not say; `tests/deploy` compares what both give.
 */
import { MESH_NAMESPACE } from "../../../controller/core/cluster_names.ts";
import { agentManifests } from "../../../controller/manifests/agent.ts";
import { controllerManifests } from "../../../controller/manifests/controller.ts";
import { customResourceDefinitions } from "../../../controller/manifests/crds.ts";
import { type Field, type Fields, INSTALL_FIELDS } from "../../../controller/manifests/fields.ts";
import { type Manifest, manifests } from "../../../controller/manifests/manifests.ts";
import { podMonitors } from "../../../controller/manifests/pod_monitors.ts";
import { printManifest } from "../../../controller/manifests/print.ts";
import type { InstallValues } from "../../../controller/manifests/values.ts";
import { webhookManifests } from "../../../controller/manifests/webhooks.ts";

/** No value has this in it. */
const MARK = /VALUE__([A-Za-z.]+)__/;
/** Numbers must stay numbers for the builders; no manifest has one of these. */
const FIRST_NUMBER = 7_310_001;

/** Parts of the output that exist under a condition: a line, or a whole object. */
const CONDITIONAL_LINES: readonly (readonly [line: RegExp, condition: string])[] = [
  [/^ *- --cluster-networks=/, "if .Values.clusterNetworks"],
  [/^ *- --no-create-issuer$/, "if not .Values.createIssuer"],
];
const SIDECAR = { key: "SIDECAR__KEY", value: "SIDECAR__VALUE" };
const CONDITIONAL_KINDS: ReadonlyMap<string, string> = new Map([
  // Helm makes the release's namespace itself, and takes it for a stranger's when a template makes it as well.
  ["Namespace", `if ne .Release.Namespace "${MESH_NAMESPACE}"`],
  ["PodDisruptionBudget", "if gt (int .Values.controllerReplicas) 1"],
  ["CustomResourceDefinition", "if .Values.installCrds"],
  ["PodMonitor", "if .Values.podMonitor.enabled"],
]);

/** Path below templates/ → text. */
export function templates(): ReadonlyMap<string, string> {
  const numbers = new Map<number, string>();
  const values = markGroup(INSTALL_FIELDS, "", numbers) as unknown as InstallValues; // the fields are InstallValues'
  const marked: InstallValues = {
    ...values,
    version: "VALUE__version__",
    createIssuer: false,
    installCrds: true,
    podMonitor: { ...values.podMonitor, enabled: true, labels: { LABEL__KEY: "LABEL__VALUE" } },
    sidecar: { [SIDECAR.key]: SIDECAR.value },
  };
  const groups: readonly (readonly [string, readonly Manifest[]])[] = [
    ["namespace.yaml", manifests(marked).filter(({ kind }) => kind === "Namespace")],
    ["crds.yaml", customResourceDefinitions(marked)],
    ["controller.yaml", controllerManifests(marked)],
    ["agent.yaml", agentManifests(marked)],
    ["webhooks.yaml", webhookManifests(marked)],
    ["podmonitors.yaml", podMonitors(marked)],
  ];
  const count = groups.reduce((sum, [, objects]) => sum + objects.length, 0);
  if (count !== manifests(marked).length) throw new Error("an object of the installation is in no template");
  return new Map(groups.map(([name, objects]) => [name, objects.map((object) => template(object, numbers)).join("")]));
}

function markGroup(fields: Fields, prefix: string, numbers: Map<number, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, mark(field, `${prefix}${key}`, numbers)]),
  );
}

function mark(field: Field, path: string, numbers: Map<number, string>): unknown {
  if (field.kind === "group") return markGroup(field.fields, `${path}.`, numbers);
  if (field.kind !== "count") return `VALUE__${path}__`;
  const number = FIRST_NUMBER + numbers.size;
  numbers.set(number, path);
  return number;
}

function template(object: Manifest, numbers: ReadonlyMap<number, string>): string {
  const printed = printManifest(object);
  if (printed.includes("{{")) throw new Error(`${String(object["kind"])} has {{ in it, which Helm would read`);
  const lines = printed.split("\n").map((line) => templateLine(line, numbers)).join("\n");
  const condition = CONDITIONAL_KINDS.get(String(object["kind"]));
  const text = `---\n${shareLabels(lines)}`;
  return condition === undefined ? text : `{{- ${condition} }}\n${text}{{- end }}\n`;
}

function templateLine(line: string, numbers: ReadonlyMap<number, string>): string {
  for (const [number, path] of numbers) {
    if (line.endsWith(`: ${number}`)) return line.replace(String(number), `{{ .Values.${path} }}`);
  }
  const indent = /^ */.exec(line)?.[0] ?? "";
  if (line.includes(SIDECAR.key)) {
    return `${indent}{{- range $key, $value := .Values.sidecar }}\n` +
      `${indent}- {{ printf "--sidecar=%s=%s" $key $value | toJson }}\n${indent}{{- end }}`;
  }
  if (line.includes("LABEL__KEY")) {
    return `${indent}{{- range $key, $value := .Values.podMonitor.labels }}\n` +
      `${indent}{{ $key | toJson }}: {{ $value | toJson }}\n${indent}{{- end }}`;
  }
  const filled = fill(line);
  const condition = CONDITIONAL_LINES.find(([pattern]) => pattern.test(line))?.[1];
  return condition === undefined ? filled : `${indent}{{- ${condition} }}\n${filled}\n${indent}{{- end }}`;
}

/** The mark of a line → an expression. JSON is YAML that needs no indentation and no thought about quotes. */
function fill(line: string): string {
  const path = MARK.exec(line)?.[1];
  if (path === undefined) return line;
  const [, head = "", scalar = ""] = /^((?: *- )?(?: *[A-Za-z./-]+: )?)(.*)$/.exec(line) ?? [];
  const expression = path === "version" ? ".Chart.AppVersion" : `.Values.${path}`;
  const format = scalar.replace(MARK, "%s");
  if (/["'%]/.test(format.replace("%s", "")) || MARK.test(format)) throw new Error(`cannot make a template of ${line}`);
  return `${head}{{ ${format === "%s" ? expression : `printf "${format}" ${expression}`} | toJson }}`;
}

const LABELS =
  /^( +)app\.kubernetes\.io\/name: tulle\n +app\.kubernetes\.io\/component: (\S+)\n +app\.kubernetes\.io\/part-of: tulle\n +app\.kubernetes\.io\/version: .*\n +tulle\.dev\/control-plane: \2$/gm;

/** The labels of every object come from one helper. */
function shareLabels(text: string): string {
  return text.replace(
    LABELS,
    (_, indent: string, component: string) =>
      `${indent}{{- include "tulle.labels" (list . "${component}") | nindent ${indent.length} }}`,
  );
}
