/**
 * Real servers and clients that know nothing of a mesh, each in a network namespace of its own, captured by `tulle up`:
 * no proxy settings, no forwards. Needs root.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { means } from "../capture/_bed.ts";
import { createCa } from "../support/certificates.ts";
import { prepareMariadb, preparePostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { isDirect, yamlOf } from "../support/mesh.ts";
import { type Child, type Finished, run } from "../support/process.ts";
import { NAMESPACE, type Resource, service, serviceResource } from "../support/resources.ts";
import { need } from "../support/tools.ts";
import { tracesOnMachine, UpFolder } from "../up/_folder.ts";

setDefaultTimeout(90_000);

const tools = need(
  ...["nginx", "nghttpd", "h2load", "curl", "redis-server", "redis-cli", "mariadbd", "mariadb"] as const,
  ...["mariadb-install-db", "postgres", "psql", "nsenter"] as const,
);
const isPossible = tools !== null && means() === "here" && !isDirect;
if (!isPossible) console.log("skipped: captured_test.ts needs root and the servers named above");

/** Virtual addresses of the services; nothing has them on a wire. */
const IP = { nginx: "10.96.9.1", h2: "10.96.9.2", redis: "10.96.9.3", mariadb: "10.96.9.4", postgres: "10.96.9.5" };
let folder: UpFolder;
let up: Child;

beforeAll(async () => {
  if (!isPossible || tools === null) return;
  folder = new UpFolder({});
  const data = join(folder.root, "data");
  mkdirSync(data);
  chmodSync(data, 0o755);
  const postgres = await preparePostgres(dirname(tools.postgres), join(data, "postgres"));
  const mariadb = await prepareMariadb(tools["mariadb-install-db"], join(data, "mariadb"));
  folder.write(
    "mesh.yaml",
    yamlOf([
      ...app("cap-nginx", [tools.nginx, "-c", await writeNginx(data), "-p", data, "-e", "stderr"]),
      ...app("cap-h2", [tools.nghttpd, "--no-tls", "-d", data, "8080"]),
      ...app("cap-redis", [tools["redis-server"], "--save", "", "--protected-mode", "no", "--dir", data]),
      ...app("cap-mariadb", [tools.mariadbd, ...mariadb, "--port=3306"]),
      ...app("cap-postgres", [
        "setpriv",
        "--reuid=postgres",
        "--regid=postgres",
        "--init-groups",
        tools.postgres,
        ...postgres,
      ]),
      ...app("cap-client", ["sleep", "600"]),
      svc("cap-nginx", IP.nginx, [[80, 8080], [443, 8443]]),
      svc("cap-h2", IP.h2, [[80, 8080]]),
      svc("cap-redis", IP.redis, [[6379, 6379]]),
      svc("cap-mariadb", IP.mariadb, [[3306, 3306]]),
      svc("cap-postgres", IP.postgres, [[5432, 5432]]),
    ]),
  );
  up = folder.up();
  await up.waitForOutput(/6 of 6 sidecars ready/, 60_000);
  await eventually(async () => {
    expect((await inside("cap-client", tools.curl, "-sSf", "-m", "3", `http://${IP.nginx}/small`)).stdout).toBe(
      "small\n",
    );
    expect((await inside("cap-client", tools["redis-cli"], "-h", IP.redis, "PING")).stdout).toBe("PONG\n");
  }, 30_000);
});

afterAll(async () => {
  await up?.stop(10_000);
  folder?.[Symbol.dispose]();
});

function app(name: string, command: readonly string[]): Resource[] {
  return [{
    apiVersion: "workload.tulle.dev/v1alpha1",
    kind: "ExternalWorkload",
    metadata: { name, namespace: NAMESPACE, labels: { app: name } },
    spec: { serviceAccountName: name, run: { command } },
  }];
}

/** A Service with nothing said about its protocols. */
function svc(name: string, ip: string, ports: readonly (readonly [number, number])[]): Resource {
  const spec = {
    ...service(name, 1),
    ports: ports.map(([port, targetPort]) => ({ port, targetPort, appProtocol: null })),
  };
  return serviceResource(spec, ip);
}

/** nginx: a small and a large file, TLS of its own on 8443, and a server on the workload's loopback alone. */
async function writeNginx(dir: string): Promise<string> {
  const leaf = await (await createCa()).issue({ dnsNames: ["shop.example"] });
  writeFileSync(join(dir, "leaf.pem"), leaf.certificate);
  writeFileSync(join(dir, "leaf.key"), leaf.key);
  writeFileSync(join(dir, "small"), "small\n");
  writeFileSync(join(dir, "large"), "0123456789abcdef".repeat(1 << 20));
  const config = join(dir, "nginx.conf");
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${dir}/nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; root ${dir}; client_max_body_size 100m; client_body_temp_path ${dir}/1; proxy_temp_path ${dir}/2;
  fastcgi_temp_path ${dir}/3; uwsgi_temp_path ${dir}/4; scgi_temp_path ${dir}/5;
  server { listen 8080; }
  server { listen 8443 ssl; ssl_certificate ${dir}/leaf.pem; ssl_certificate_key ${dir}/leaf.key; }
  server { listen 127.0.0.1:9999; }
}
`,
  );
  return config;
}

/** Runs a program in the network namespace of a workload. */
async function inside(workload: string, ...argv: string[]): Promise<Finished> {
  const name = tracesOnMachine().find((each) => each.endsWith(`-${workload}-0`));
  if (name === undefined) throw new Error(`no namespace of ${workload}`);
  return await run({ argv: [tools?.nsenter ?? "", `--net=/run/netns/${name}`, ...argv], name: argv[0] ?? "" });
}

function addressOf(workload: string): string {
  return folder.info().workloads.find((each) => each.name.includes(workload))?.addresses[0] ?? "";
}

/** Sum of a counter of a workload's sidecar over the series that contain all the texts. */
async function counted(workload: string, name: string, ...texts: string[]): Promise<number> {
  const admin = folder.info().workloads.find((each) => each.name.includes(workload))?.admin ?? "";
  const lines = (await (await fetch(`${admin}/metrics`)).text()).split("\n").filter((line) =>
    line.startsWith(`${name}{`)
  );
  return lines.filter((line) => texts.every((text) => line.includes(text)))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test.skipIf(!isPossible)(
  "curl and nginx: files, a large one, an upload refused by nginx itself; all over mutual TLS",
  async () => {
    const curl = tools?.curl ?? "";
    const large = await inside(
      "cap-client",
      curl,
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code} %{size_download}",
      `http://${IP.nginx}/large`,
    );
    expect(large.stdout).toBe(`200 ${16 << 20}`);
    const put = await inside(
      "cap-client",
      curl,
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-d",
      "x",
      `http://${IP.nginx}/small`,
    );
    expect(put.stdout).toBe("405");
    expect(await counted("cap-nginx", "response_total", 'direction="inbound"', 'tls="true"')).toBeGreaterThanOrEqual(2);
    expect(await counted("cap-nginx", "response_total", 'direction="inbound"', 'tls="no')).toBe(0);
  },
);

test.skipIf(!isPossible)("a workload is reached by its own address, with mutual TLS all the same", async () => {
  const before = await counted("cap-nginx", "request_total", 'direction="inbound"', 'tls="true"');
  const done = await inside("cap-client", tools?.curl ?? "", "-sS", `http://${addressOf("cap-nginx")}:8080/small`);
  expect(done.stdout).toBe("small\n");
  expect(await counted("cap-nginx", "request_total", 'direction="inbound"', 'tls="true"')).toBe(before + 1);
});

test.skipIf(!isPossible)("the app's own TLS passes", async () => {
  const done = await inside("cap-client", tools?.curl ?? "", "-sSk", "--http1.1", `https://${IP.nginx}/small`);
  expect(done.stdout).toBe("small\n");
});

test.skipIf(!isPossible)("what listens on the workload's loopback alone stays private", async () => {
  const own = await inside("cap-nginx", tools?.curl ?? "", "-sS", "-m", "5", "http://127.0.0.1:9999/small");
  expect(own.stdout).toBe("small\n");
  const other = await inside(
    "cap-client",
    tools?.curl ?? "",
    "-sS",
    "-m",
    "5",
    `http://${addressOf("cap-nginx")}:9999/small`,
  );
  expect(other.stdout).not.toBe("small\n");
});

test.skipIf(!isPossible)("a workload reaches itself through its Service", async () => {
  const done = await inside("cap-nginx", tools?.curl ?? "", "-sS", "-m", "5", `http://${IP.nginx}/small`);
  expect(done.stdout).toBe("small\n");
});

test.skipIf(!isPossible)(
  "a client outside of the mesh is served in plaintext where policy allows it, and counted so",
  async () => {
    const done = await run({
      argv: [tools?.curl ?? "", "-sS", "-m", "5", `http://${addressOf("cap-nginx")}:8080/small`],
    });
    expect(done.stdout).toBe("small\n");
    expect(await counted("cap-nginx", "request_total", 'direction="inbound"')).toBeGreaterThan(
      await counted("cap-nginx", "request_total", 'direction="inbound"', 'tls="true"'),
    );
  },
);

test.skipIf(!isPossible)("h2load and nghttpd: 10,000 requests on 8 connections, none fails", async () => {
  const done = await inside("cap-client", tools?.h2load ?? "", "-n10000", "-c8", "-m32", `http://${IP.h2}/small`);
  expect(done.stdout).toContain("10000 succeeded, 0 failed, 0 errored, 0 timeout");
});

test.skipIf(!isPossible)("Redis", async () => {
  const done = await inside("cap-client", tools?.["redis-cli"] ?? "", "-h", IP.redis, "SET", "key", "value");
  expect(done.stdout).toBe("OK\n");
});

test.skipIf(!isPossible)("MariaDB, whose server speaks first, without a stall", async () => {
  const query = () =>
    inside(
      "cap-client",
      tools?.mariadb ?? "",
      "--no-defaults",
      "-h",
      IP.mariadb,
      "-u",
      "root",
      "-N",
      "-e",
      "select 6 * 7",
    );
  await eventually(async () => expect((await query()).stdout).toBe("42\n"), 20_000);
  const start = performance.now();
  expect((await query()).stdout).toBe("42\n");
  expect(performance.now() - start).toBeLessThan(2_000);
});

test.skipIf(!isPossible)("PostgreSQL", async () => {
  await eventually(async () => {
    const done = await inside(
      "cap-client",
      tools?.psql ?? "",
      "-h",
      IP.postgres,
      "-U",
      "postgres",
      "-At",
      "-c",
      "select 6 * 7",
    );
    expect(done.stdout).toBe("42\n");
  }, 20_000);
});
