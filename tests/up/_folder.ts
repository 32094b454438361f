/** Starts `tulle up` on a folder made for the test, with a temporary folder of its own, so that what it leaves can be seen. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RouteNetlink } from "../../src/capture/route_netlink.ts";
import { tulleCommand } from "../support/mesh.ts";
import { type Child, startProcess } from "../support/process.ts";

const WEB = new URL("./web.ts", import.meta.url).pathname;

/** YAML of a workload that serves HTTP on port 8000, and its Service on port 80. */
export function server(name: string, replicas = 1): string {
  return `${workload(name, {}, replicas, "serve")}---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8000, appProtocol: http }] }
`;
}

/** YAML of a workload that calls a URL again and again. */
export function client(name: string, target: string, annotations: Record<string, string> = {}): string {
  return workload(name, annotations, 1, "call", { TARGET: target });
}

/** YAML of a workload that runs a shell command. */
export function shell(name: string, command: string): string {
  return run(name, {}, 1, ["sh", "-c", command], {});
}

function workload(
  name: string,
  annotations: Record<string, string>,
  replicas: number,
  role: string,
  env: Record<string, string> = {},
): string {
  return run(name, annotations, replicas, [process.execPath, WEB, role], env);
}

function run(
  name: string,
  annotations: Record<string, string>,
  replicas: number,
  command: readonly string[],
  env: Record<string, string>,
): string {
  return `apiVersion: workload.tulle.dev/v1alpha1
kind: ExternalWorkload
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} }, annotations: ${JSON.stringify(annotations)} }
spec:
  serviceAccountName: ${name}
  run:
    replicas: ${replicas}
    command: ${JSON.stringify(command)}
    env: ${JSON.stringify(Object.entries(env).map(([key, value]) => ({ name: key, value })))}
`;
}

export class UpFolder implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "tulle-test-up-"));
  readonly mesh = join(this.root, "mesh");
  readonly temporary = join(this.root, "tmp");

  constructor(files: Readonly<Record<string, string>>) {
    chmodSync(this.root, 0o755);
    mkdirSync(this.mesh);
    mkdirSync(this.temporary);
    chmodSync(this.temporary, 0o1777);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.mesh, name), text);
  }

  /** @param args more arguments @param user start as this user */
  up(args: readonly string[] = [], user?: string): Child {
    const argv = [...tulleCommand(), "up", "-f", this.mesh, ...args];
    return startProcess({ argv, name: "tulle up", env: { TMPDIR: this.temporary, HOME: this.temporary }, user });
  }

  /** What the run says about itself. */
  info(): { pid: number; workloads: { name: string; addresses: string[]; admin: string | null }[] } {
    const state = this.stateFolders()[0];
    return JSON.parse(readFileSync(join(this.temporary, state ?? "none", "mesh.json"), "utf8"));
  }

  /** Text of a log: "shop.web-0/app.log". */
  log(name: string): string {
    const file = join(this.temporary, this.stateFolders()[0] ?? "none", name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  stateFolders(): string[] {
    return readdirSync(this.temporary).filter((name) => name.startsWith("tulle-up-"));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Links and names that a run of root makes on the machine. */
export function tracesOnMachine(): string[] {
  using links = new RouteNetlink();
  const names = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  return [
    ...links.linkNames().filter((name) => /^tulle\d+$/.test(name)),
    ...names.filter((name) => /^tulle\d*-/.test(name)),
  ];
}
