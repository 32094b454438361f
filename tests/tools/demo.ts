/**
 * `deno task demo`: runs the example shop and proves what it claims. Arguments go to `tulle up`, such as `--for 20s`. Nothing
 * is installed; where there is no redis-server, one is fetched into .cache/ if that is possible.
 */
import { readFileSync } from "node:fs";
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
const above = launchers(process.ppid);
const timer = setInterval(() => {
  // `npx` and `deno task` may be killed without telling us; the mesh must not outlive them.
  if (launchers(process.ppid).join() !== above.join()) child.kill("SIGTERM");
}, PARENT_CHECK_MS);
process.exitCode = await child.exited;
clearInterval(timer);
process.exit();

/** Process numbers of the `deno task`, `npx` and their shells that we run under, from the nearest up. */
function launchers(pid: number): number[] {
  const found: number[] = [];
  let pending: number[] = []; // a shell counts only when a launcher is above it: otherwise it is the user's
  for (let at = pid; at > 1;) {
    const stat = statOf(at);
    if (/^(deno|npm|npx|node)/.test(stat.name)) {
      found.push(...pending, at);
      pending = [];
    } else if (/^(sh|dash|bash)$/.test(stat.name)) pending.push(at);
    else break;
    at = stat.parent;
  }
  return found;
}

function statOf(pid: number): { name: string; parent: number } {
  try {
    const [, name = "", rest = ""] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return { name, parent: Number(rest.split(" ")[1]) };
  } catch {
    return { name: "", parent: 0 };
  }
}
