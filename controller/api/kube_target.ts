/** Where an API server is and how we prove who we are: from a kubeconfig, or from the files of a pod. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { errorText, UsageError } from "../../src/base/error.ts";
import { EXEC_VERSIONS, type ExecConfig, ExecLogin, type Login } from "./exec_login.ts";

export interface KubeTarget {
  /** "https://10.0.0.1:6443", no slash at the end. */
  readonly server: string;
  /** PEM; null: the system's authorities. */
  readonly ca: string | null;
  /** Client certificate and key, PEM. */
  readonly clientCertificate: { readonly cert: string; readonly key: string } | null;
  /** Bearer token, read for each request since projected tokens change; null: none. */
  readonly token: (() => string) | null;
  /** A program that logs in; null where certificate and token are all there is. */
  readonly login: Login | null;
  /** Name for the server's certificate when it differs from the address. */
  readonly serverName: string | null;
  /** insecure-skip-tls-verify. */
  readonly insecure: boolean;
  /** Namespace where the user names none. */
  readonly namespace: string;
  /** Context's name, or "in-cluster". */
  readonly context: string;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** True in a pod with a ServiceAccount token. */
function isInCluster(env: Readonly<Record<string, string | undefined>>): boolean {
  return env["KUBERNETES_SERVICE_HOST"] !== undefined && existsSync(join(SERVICE_ACCOUNT, "token"));
}

/** The pod's own API server and ServiceAccount. @throws UsageError outside a pod */
function inClusterTarget(env: Readonly<Record<string, string | undefined>>): KubeTarget {
  const host = env["KUBERNETES_SERVICE_HOST"];
  if (host === undefined) throw new UsageError("this is no pod: KUBERNETES_SERVICE_HOST is not set; give --kubeconfig");
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: readFileSync(join(SERVICE_ACCOUNT, "ca.crt"), "utf8"),
    clientCertificate: null,
    token: () => readFileSync(join(SERVICE_ACCOUNT, "token"), "utf8").trim(),
    login: null,
    serverName: null,
    insecure: false,
    namespace: readFileSync(join(SERVICE_ACCOUNT, "namespace"), "utf8").trim(),
    context: "in-cluster",
  };
}

export interface KubeconfigChoice {
  /** --kubeconfig; null: $KUBECONFIG, then ~/.kube/config. */
  readonly file: string | null;
  /** --context; null: the current one. */
  readonly context: string | null;
}

/** What is named; else, in a pod, its own cluster; else the kubeconfig's. @throws UsageError that says what to set */
export function chooseTarget(
  choice: KubeconfigChoice,
  env: Readonly<Record<string, string | undefined>>,
): KubeTarget {
  const isOwn = choice.file === null && choice.context === null && isInCluster(env);
  return isOwn ? inClusterTarget(env) : kubeconfigTarget(choice, env);
}

/** Reads kubeconfigs as kubectl does: of several files the first that names a thing wins. @throws UsageError that says what to set */
export function kubeconfigTarget(
  choice: KubeconfigChoice,
  env: Readonly<Record<string, string | undefined>>,
): KubeTarget {
  const merged = mergeFiles(choice, env);
  const contextName = choice.context ?? merged.current;
  if (contextName === "") {
    throw new UsageError("no context is chosen: give --context, or run: kubectl config use-context NAME");
  }
  const context = merged.contexts.get(contextName);
  if (context === undefined) {
    const known = [...merged.contexts.keys()].join(", ");
    throw new UsageError(`the kubeconfig has no context "${contextName}"${known === "" ? "" : `; it has ${known}`}`);
  }
  const cluster = find(merged.clusters, text(context.value, "cluster"), "cluster", contextName);
  const user = find(merged.users, text(context.value, "user"), "user", contextName);
  const server = text(cluster.value, "server");
  if (server === "") throw new UsageError(`the cluster of context "${contextName}" names no server`);
  const cert = material(user, "client-certificate");
  const key = material(user, "client-key");
  const token = text(user.value, "token");
  const tokenFile = text(user.value, "tokenFile");
  const ca = material(cluster, "certificate-authority");
  const exec = user.value["exec"] === undefined ? null : readExec(user, cluster, ca);
  return {
    server: server.replace(/\/+$/, ""),
    ca,
    clientCertificate: cert !== null && key !== null ? { cert, key } : null,
    token: tokenFile !== ""
      ? () => readFileSync(resolve(user.folder, tokenFile), "utf8").trim()
      : token === ""
      ? null
      : () => token,
    // As for kubectl, a token of the file goes before what the program would say.
    login: exec === null || token !== "" || tokenFile !== "" ? null : new ExecLogin(exec, env, process.stdin.isTTY),
    serverName: text(cluster.value, "tls-server-name") || null,
    insecure: cluster.value["insecure-skip-tls-verify"] === true,
    namespace: text(context.value, "namespace") || "default",
    context: contextName,
  };
}

/** `exec` of a user. @throws UsageError that names the field, the value and the wanted form */
function readExec(user: Entry, cluster: Entry, ca: string | null): ExecConfig {
  const exec = plain(user.value["exec"]);
  const wrong = (field: string, want: string) => {
    const found = exec[field] === undefined ? "nothing" : JSON.stringify(exec[field]);
    return new UsageError(`the kubeconfig's users[].user.exec.${field}: found ${found}, want ${want}`);
  };
  const command = text(exec, "command");
  if (command === "") throw wrong("command", "a program");
  const apiVersion = text(exec, "apiVersion");
  if (!EXEC_VERSIONS.includes(apiVersion)) throw wrong("apiVersion", EXEC_VERSIONS.join(" or "));
  const interactiveMode = exec["interactiveMode"] ?? "IfAvailable";
  if (interactiveMode !== "Never" && interactiveMode !== "IfAvailable" && interactiveMode !== "Always") {
    throw wrong("interactiveMode", "Never, IfAvailable or Always");
  }
  const listed = (field: string) => Array.isArray(exec[field]) ? exec[field] as unknown[] : [];
  return {
    command,
    args: listed("args").map(String),
    env: listed("env").map((each) => ({ name: text(plain(each), "name"), value: text(plain(each), "value") })),
    apiVersion,
    interactiveMode,
    installHint: text(exec, "installHint"),
    cluster: exec["provideClusterInfo"] === true ? clusterInfo(cluster, ca) : null,
    folder: user.folder,
  };
}

/** What a login program is told of the cluster (ExecCredential, `spec.cluster`). */
function clusterInfo({ value }: Entry, ca: string | null): Plain {
  const extensions = Array.isArray(value["extensions"]) ? value["extensions"].map(plain) : [];
  const config = extensions.find(({ name }) => name === "client.authentication.k8s.io/exec")?.["extension"];
  const serverName = text(value, "tls-server-name");
  return {
    server: text(value, "server"),
    ...(serverName === "" ? {} : { "tls-server-name": serverName }),
    ...(value["insecure-skip-tls-verify"] === true ? { "insecure-skip-tls-verify": true } : {}),
    ...(ca === null ? {} : { "certificate-authority-data": Buffer.from(ca).toString("base64") }),
    ...(config === undefined ? {} : { config }),
  };
}

type Plain = Readonly<Record<string, unknown>>;

/** An entry with the folder of its file, from which relative paths count. */
interface Entry {
  readonly value: Plain;
  readonly folder: string;
}

interface Merged {
  readonly clusters: Map<string, Entry>;
  readonly users: Map<string, Entry>;
  readonly contexts: Map<string, Entry>;
  current: string;
}

function mergeFiles(choice: KubeconfigChoice, env: Readonly<Record<string, string | undefined>>): Merged {
  const listed = env["KUBECONFIG"] ?? "";
  const files = choice.file !== null
    ? [choice.file]
    : listed !== ""
    ? listed.split(delimiter).filter((file) => file !== "")
    : [join(homedir(), ".kube", "config")];
  const merged: Merged = { clusters: new Map(), users: new Map(), contexts: new Map(), current: "" };
  let read = 0;
  for (const file of files) {
    if (!existsSync(file)) continue;
    mergeFile(merged, file);
    read++;
  }
  if (read === 0) {
    throw new UsageError(`no kubeconfig is at ${files.join(" or ")}: give --kubeconfig FILE, or set KUBECONFIG`);
  }
  return merged;
}

function mergeFile(merged: Merged, file: string): void {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`the kubeconfig ${file} cannot be read: ${errorText(error)}`);
  }
  const root = plain(value);
  const folder = dirname(resolve(file));
  const take = (into: Map<string, Entry>, list: string, key: string) => {
    for (const item of Array.isArray(root[list]) ? root[list] : []) {
      const entry = plain(item);
      const name = text(entry, "name");
      if (name !== "" && !into.has(name)) into.set(name, { value: plain(entry[key]), folder });
    }
  };
  take(merged.clusters, "clusters", "cluster");
  take(merged.users, "users", "user");
  take(merged.contexts, "contexts", "context");
  if (merged.current === "") merged.current = text(root, "current-context");
}

function find(entries: Map<string, Entry>, name: string, what: string, context: string): Entry {
  const entry = entries.get(name);
  if (entry === undefined) throw new UsageError(`context "${context}" names the ${what} "${name}", which is not there`);
  return entry;
}

/** PEM given in the file ("KEY-data", base64) or by its path ("KEY"); null when neither is there. */
function material(entry: Entry, key: string): string | null {
  const data = text(entry.value, `${key}-data`);
  if (data !== "") return Buffer.from(data, "base64").toString("utf8");
  const file = text(entry.value, key);
  return file === "" ? null : readFileSync(resolve(entry.folder, file), "utf8");
}

function plain(value: unknown): Plain {
  return typeof value === "object" && value !== null ? value as Plain : {}; // its values stay unknown
}

function text(value: Plain, key: string): string {
  const found = value[key];
  return typeof found === "string" ? found : "";
}
