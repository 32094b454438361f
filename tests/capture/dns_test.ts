/** Does a workload's DNS pass its proxy, whichever resolver asks and whomever it asks, and is the answer the nameserver's? */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { installCapture } from "../../src/capture/capture.ts";
import { DEFAULT_PLAN, DNS_PORT } from "../../src/capture/capture_plan.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { Bed, means, PEER_IPV4, PEER_IPV6 } from "./_bed.ts";

const canRun = means() === "here" && Bun.which("dnsmasq") !== null && Bun.which("dig") !== null;
const NAME = "api.example.org";
const IP = "192.0.2.10";
const IPV6 = "2001:db8::10";

if (!canRun) test.skip("want root, dnsmasq and dig", () => {});

describe.if(canRun)("DNS of a captured workload", () => {
  let bed: Bed;
  let folder: ReturnType<typeof temporaryFolder>;
  let said = "";
  const children: Bun.Subprocess[] = [];

  beforeAll(async () => {
    bed = new Bed();
    folder = temporaryFolder();
    writeFileSync(join(folder.path, "resolv.conf"), `nameserver ${PEER_IPV4}\noptions timeout:2 attempts:5\n`);
    bed.peer.run(() => {
      const options = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"];
      const names = [`--host-record=${NAME},${IP},${IPV6}`, `--cname=www.example.org,${NAME}`];
      const child = Bun.spawn(["dnsmasq", ...options, "--pid-file=", ...names], { stdout: "ignore", stderr: "ignore" });
      children.push(child);
    });
    const relay = bed.workload.run(() => {
      installCapture({ ...DEFAULT_PLAN, dnsPort: DNS_PORT });
      const command = [process.execPath, join(import.meta.dirname, "_dns_relay.ts"), PEER_IPV4, String(DNS_PORT)];
      return Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
    });
    children.push(relay);
    void (async () => {
      for await (const bytes of relay.stdout) said += Buffer.from(bytes).toString();
    })();
    await eventually(() => expect(said).toContain("ready"));
    await eventually(async () => expect(await inWorkload("dig", "+short", "+tries=1", "+time=1", NAME)).toBe(IP));
  }, 60_000);

  afterAll(async () => {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.exited));
    bed?.[Symbol.dispose]();
    folder?.[Symbol.dispose]();
  });

  /** Output of a program that has the workload's nameserver in its /etc/resolv.conf. */
  async function inWorkload(...command: string[]): Promise<string> {
    const script = `mount --bind ${folder.path}/resolv.conf /etc/resolv.conf && exec "$@"`;
    const child = bed.workload.run(() =>
      Bun.spawn(["unshare", "--mount", "sh", "-c", script, "sh", ...command], { stdout: "pipe" })
    );
    return (await new Response(child.stdout).text()).trim();
  }

  test("the C library's resolver asks and gets its answer, and the proxy has heard it", async () => {
    expect(await inWorkload("getent", "ahostsv4", "www.example.org")).toContain(`${IP} `);
    expect(said).toContain(`www.example.org ${IP}`);
    expect(await inWorkload("getent", "ahostsv6", "www.example.org")).toContain(`${IPV6} `);
    expect(said).toContain(`www.example.org ${IP},${IPV6}`);
  }, 30_000);

  test.each([
    ["by TCP", ["+tcp", `@${PEER_IPV4}`]],
    ["over IPv6", [`@${PEER_IPV6}`]],
    ["by TCP over IPv6", ["+tcp", `@${PEER_IPV6}`]],
    ["a server of its own choice", ["@192.0.2.99"]],
    ["a server of its own choice by TCP", ["+tcp", "@192.0.2.99"]],
  ])("a program that asks %s gets the nameserver's answer", async (_, options) => {
    expect(await inWorkload("dig", "+short", ...options, NAME)).toBe(IP);
  }, 30_000);
});
