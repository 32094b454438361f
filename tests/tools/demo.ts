/**
 * `deno task demo`: runs the example shop and proves what it claims. Arguments go to `tulle up`, such as `--for 20s`. Nothing
 * is installed; where there is no redis-server, one is fetched into .cache/ if that is possible.
 */
import { fetchRedis } from "./fetch_redis.ts";

/** How often is looked whether whoever started the demo is still there. */
const PARENT_CHECK_MS = 1_000;

const root = new URL("../../", import.meta.url).pathname;
const env = { ...process.env };
if (Bun.which("redis-server") === null) {
  console.log("· redis-server is not installed: fetching it into .cache/redis (nothing is installed)");
  const fetched = fetchRedis(`${root}.cache/redis`);
  if ("bin" in fetched) env["PATH"] = `${fetched.bin}:${env["PATH"] ?? ""}`;
  else console.log(`· no Redis in this demo: ${fetched.reason}`);
}

const args = process.argv.slice(2).filter((arg) => arg !== "--");
const child = Bun.spawn([`${root}dist/tulle`, "up", "-f", "deploy/examples/shop", "--prove", ...args], {
  cwd: root,
  env,
  stdio: ["inherit", "inherit", "inherit"],
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
const parent = process.ppid;
const timer = setInterval(() => {
  // `npx` and `deno task` may be killed without telling us; the mesh must not outlive them.
  if (process.ppid !== parent) child.kill("SIGTERM");
}, PARENT_CHECK_MS);
process.exitCode = await child.exited;
clearInterval(timer);
process.exit();
