import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeClient } from "./client.ts";
import { type ExecConfig, ExecLogin, LoginError } from "./exec_login.ts";
import { kubeconfigTarget } from "./kube_target.ts";

const V1 = "client.authentication.k8s.io/v1";
let folder: string;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "tulle-login-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that counts its runs in the file "runs", and then does `body`. */
function program(body: string): void {
  const file = join(folder, "login");
  writeFileSync(file, `#!/bin/sh\necho run >> '${folder}/runs'\n${body}\n`);
  chmodSync(file, 0o755);
}

/** Prints a credential, with $EXTRA of the shell within its status. */
function printing(status: string, apiVersion = V1): string {
  return `cat <<END\n{"kind":"ExecCredential","apiVersion":"${apiVersion}","status":${status}}\nEND`;
}

function runs(): number {
  return existsSync(join(folder, "runs")) ? readFileSync(join(folder, "runs"), "utf8").trim().split("\n").length : 0;
}

function config(more: Partial<ExecConfig> = {}): ExecConfig {
  return {
    command: "./login",
    args: [],
    env: [],
    apiVersion: V1,
    interactiveMode: "Never",
    installHint: "",
    cluster: null,
    folder,
    ...more,
  };
}

function login(more: Partial<ExecConfig> = {}, now: () => number = Date.now): ExecLogin {
  return new ExecLogin(config(more), process.env, false, now);
}

test("a token is kept until it ends, and one run serves all who wait", async () => {
  program(printing(`{"token":"t-1","expirationTimestamp":"2030-01-01T00:00:00Z"}`));
  let now = Date.parse("2029-12-31T23:00:00Z");
  const own = login({}, () => now);
  const all = await Promise.all([own.credentials(), own.credentials(), own.credentials()]);
  expect(all.map(({ token }) => token)).toEqual(["t-1", "t-1", "t-1"]);
  await own.credentials();
  expect(runs()).toBe(1);
  now = Date.parse("2029-12-31T23:59:55Z");
  await own.credentials();
  expect(runs()).toBe(2);
});

test("what the server refused is made anew, once for all that were refused", async () => {
  program(printing(`{"token":"t"}`));
  const own = login();
  const first = await own.credentials();
  own.forget(first);
  await own.credentials();
  own.forget(first);
  await own.credentials();
  expect(runs()).toBe(2);
});

test("the program is told of cluster and version, and gets arguments and environment", async () => {
  program(
    `printf '%s' "$KUBERNETES_EXEC_INFO" > '${folder}/info'\n` + printing(`{"token":"$1-$COLOUR"}`),
  );
  const own = login({
    args: ["a b"],
    env: [{ name: "COLOUR", value: "red" }],
    cluster: { server: "https://x" },
  });
  expect((await own.credentials()).token).toBe("a b-red");
  expect(JSON.parse(readFileSync(join(folder, "info"), "utf8"))).toEqual({
    apiVersion: V1,
    kind: "ExecCredential",
    spec: { cluster: { server: "https://x" }, interactive: false },
  });
});

test("a program that leaves another one behind, with its output, has ended all the same", async () => {
  program(`sleep 30 &\necho $! > '${folder}/pid'\n${printing(`{"token":"t"}`)}`);
  try {
    expect((await login().credentials()).token).toBe("t");
  } finally {
    process.kill(Number(readFileSync(join(folder, "pid"), "utf8")));
  }
});

const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ["a failure with its words", "echo 'session  expired' >&2; exit 3", /ended with 3 \(session expired\): run it/],
  ["no JSON", "echo token", /printed no JSON, want an ExecCredential/],
  ["another version", printing(`{"token":"t"}`, "client.authentication.k8s.io/v1beta1"), /the kubeconfig says .*\/v1$/],
  ["nothing in it", printing("{}"), /neither token nor clientCertificateData/],
  ["half a certificate", printing(`{"clientKeyData":"k"}`), /want both or neither/],
  ["no time", printing(`{"token":"t","expirationTimestamp":"soon"}`), /want RFC 3339/],
];

test.each(MISTAKES)("an error that says what to do: %s", async (_name, body, message) => {
  program(body);
  const error = await login().credentials().then(() => null, (error: unknown) => error);
  expect(error).toBeInstanceOf(LoginError);
  expect((error as Error).message).toMatch(message);
});

test("a program that is missing is told with the kubeconfig's hint", async () => {
  const hinted = login({ command: "tulle-no-such-login", installHint: "apt install it" });
  await expect(hinted.credentials()).rejects.toThrow(/"tulle-no-such-login", is not there: apt install it/);
  await expect(login({ interactiveMode: "Always" }).credentials()).rejects.toThrow(/wants a terminal/);
});

/** A kubeconfig for a server of ours. */
function kubeconfig(port: number, exec: Record<string, unknown>, user: Record<string, unknown> = {}): string {
  const file = join(folder, "config");
  writeFileSync(
    file,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
      clusters: [{ name: "k", cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: "u", user: { exec, ...user } }],
    }),
  );
  return file;
}

test("a client logs in by a kubeconfig, and again when the server refuses", async () => {
  program(printing(`{"token":"t-$(wc -l < '${folder}/runs' | tr -d ' ')"}`));
  const seen: (string | null)[] = [];
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      seen.push(request.headers.get("authorization"));
      const isGood = seen.at(-1) === "Bearer t-2";
      return Response.json(isGood ? { ok: true } : { reason: "Unauthorized" }, { status: isGood ? 200 : 401 });
    },
  });
  const file = kubeconfig(server.port ?? 0, { apiVersion: V1, command: "./login", interactiveMode: "Never" });
  const client = new KubeClient(kubeconfigTarget({ file, context: null }, process.env));
  expect(await client.json<unknown>("GET", "/version")).toEqual({ ok: true });
  await client.text("/version");
  expect(seen).toEqual(["Bearer t-1", "Bearer t-2", "Bearer t-2"]);
  const refusing = kubeconfig(server.port ?? 0, { apiVersion: V1, command: "./login", interactiveMode: "Never" });
  rmSync(join(folder, "runs"));
  program(printing(`{"token":"never"}`));
  const refused = new KubeClient(kubeconfigTarget({ file: refusing, context: null }, process.env));
  await expect(refused.text("/version")).rejects.toThrow(/401 Unauthorized/);
  expect(runs()).toBe(2);
});

test("a kubeconfig's mistakes name field, value and form; its own token goes first", () => {
  const target = (exec: Record<string, unknown>, user = {}) =>
    kubeconfigTarget({ file: kubeconfig(1, exec, user), context: null }, process.env);
  expect(() => target({ apiVersion: V1 })).toThrow(/exec\.command: found nothing, want a program/);
  expect(() => target({ command: "x", apiVersion: "v1alpha1" })).toThrow(/exec\.apiVersion: found "v1alpha1", want/);
  expect(() => target({ command: "x", apiVersion: V1, interactiveMode: 1 })).toThrow(/interactiveMode: found 1, want/);
  expect(target({ command: "x", apiVersion: V1 }, { token: "own" }).login).toBeNull();
});
