/** Real Redis, PostgreSQL and MariaDB servers with fresh data in a temporary folder, each on one address and port. */
import { chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, run, startServer } from "./process.ts";

/** A running server; disposing ends it and removes its data. */
export interface Database extends AsyncDisposable {
  readonly child: Child;
}

interface Where {
  readonly host: string;
  readonly port: number;
}

export async function startRedis(program: string, { host, port }: Where): Promise<Database> {
  const dir = mkdtempSync(join(tmpdir(), "tulle-redis-"));
  const options = [
    "--bind",
    host,
    "--port",
    String(port),
    "--save",
    "",
    "--appendonly",
    "no",
    "--protected-mode",
    "no",
  ];
  return await start(dir, { argv: [program, ...options, "--dir", dir], name: "redis-server", host, port });
}

/** `bin` is the folder of initdb and postgres. Runs as the user postgres when we are root, who it refuses. */
export async function startPostgres(bin: string, { host, port }: Where): Promise<Database> {
  const dir = mkdtempSync(join(tmpdir(), "tulle-postgres-"));
  const options = await preparePostgres(bin, dir);
  const user = process.getuid?.() === 0 ? { user: "postgres" } : {};
  const argv = [join(bin, "postgres"), ...options, "-h", host, "-p", String(port)];
  const database = await start(dir, { argv, name: "postgres", ...user, host, port });
  await database.child.waitForOutput(/ready to accept connections/);
  return database;
}

/** Fills a folder for PostgreSQL, owned by the user postgres when we are root; returns its arguments, but host and port. */
export async function preparePostgres(bin: string, dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(dir, await idOf("postgres", "-u"), await idOf("postgres", "-g"));
  const data = join(dir, "data");
  const user = isRoot ? { user: "postgres" } : {};
  const made = await run({ argv: [join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"], ...user });
  if (made.code !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  // Clients come from other addresses than 127.0.0.1.
  await Bun.write(join(data, "pg_hba.conf"), "host all all 0.0.0.0/0 trust\nlocal all all trust\n");
  return ["-D", data, "-k", dir, "-h", "*", "-c", "fsync=off", "-c", "max_connections=50"];
}

/** `program` is mariadbd, `installer` mariadb-install-db. Anyone may log in as root without a password. */
export async function startMariadb(program: string, installer: string, { host, port }: Where): Promise<Database> {
  const dir = mkdtempSync(join(tmpdir(), "tulle-mariadb-"));
  const argv = [program, ...await prepareMariadb(installer, dir), `--bind-address=${host}`, `--port=${port}`];
  return await start(dir, { argv, name: "mariadbd", host, port, timeoutMs: 30_000 });
}

/** Fills a folder for MariaDB; returns its arguments, but address and port. */
export async function prepareMariadb(installer: string, dir: string): Promise<string[]> {
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  const how = ["--auth-root-authentication-method=normal", "--skip-test-db", ...user];
  const made = await run({ argv: [installer, "--no-defaults", `--datadir=${dir}`, ...how], timeoutMs: 60_000 });
  if (made.code !== 0) throw new Error(`mariadb-install-db failed: ${made.stderr}${made.stdout}`);
  return [
    "--no-defaults",
    `--datadir=${dir}`,
    `--socket=${dir}/socket`,
    "--skip-grant-tables",
    "--skip-networking=0",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    ...user,
  ];
}

async function start(dir: string, options: Parameters<typeof startServer>[0]): Promise<Database> {
  try {
    const child = await startServer(options);
    return {
      child,
      async [Symbol.asyncDispose]() {
        await child.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    rmSync(dir, { recursive: true, force: true });
    throw cause;
  }
}

async function idOf(user: string, flag: "-u" | "-g"): Promise<number> {
  return Number((await run({ argv: ["id", flag, user] })).stdout);
}
