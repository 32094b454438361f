/** Do the rules redirect what they should, and nothing else? In real network namespaces, IPv4 and IPv6. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasCapture, installCapture, removeCapture } from "../../src/capture/capture.ts";
import { DEFAULT_PLAN, PROXY_MARK, PROXY_UID } from "../../src/capture/capture_plan.ts";
import { SELF_TEST_IPV4, SELF_TEST_IPV6, SELF_TEST_PORT } from "../../src/capture/capture_plan.ts";
import { answer, ask, Bed, means, PEER_IPV4, PEER_IPV6, runInUserNamespace, WORKLOAD_IPV4 } from "./_bed.ts";
import { WORKLOAD_IPV6 } from "./_bed.ts";
import { markedDial } from "./_marked_dial.ts";

// "peer ?": nothing is redirected in the peer's namespace, so its kernel knows no original destination.
const how = means();
const PLAN = {
  ...DEFAULT_PLAN,
  proxyMark: PROXY_MARK,
  skipOutboundPorts: [{ first: 7000, last: 7010 }],
  skipOutboundBlocks: [],
  skipInboundPorts: [{ first: 7020, last: 7020 }],
};

if (how === "user namespace") {
  test("the rules hold in a user namespace", () => {
    const { passed, output } = runInUserNamespace(import.meta.path);
    if (!passed) console.log(output);
    expect(passed).toBe(true);
  }, 60_000);
}

if (how === "not at all") test.skip("neither root nor user namespaces here, so no namespace can be made", () => {});

describe.if(how === "here")("captured workload", () => {
  let bed: Bed;
  const open: { stop(): void }[] = [];

  beforeAll(() => {
    bed = new Bed();
    bed.workload.run(() => {
      installCapture(PLAN);
      open.push(answer("outbound", "127.0.0.1", 4140), answer("outbound", "::1", 4140));
      const both = (name: string, port: number) => open.push(answer(name, "::", port));
      both("inbound", 4145);
      both("mesh", 4143);
      both("admin", 4191);
      both("app", 8080);
      both("skipped", 7020);
    });
    bed.peer.run(() => {
      for (const port of [80, 4143, 7005]) open.push(answer("peer", "::", port));
    });
  });

  afterAll(() => {
    for (const each of open) each.stop();
    bed?.[Symbol.dispose]();
  });

  const fromWorkload = (ip: string, port: number) => bed.workload.run(() => ask(ip, port));
  const fromPeer = (ip: string, port: number) => bed.peer.run(() => ask(ip, port));

  test.each([
    ["any destination goes to the proxy", PEER_IPV4, 80, `outbound ${PEER_IPV4} 80`],
    ["a closed port too: the proxy decides", PEER_IPV4, 81, `outbound ${PEER_IPV4} 81`],
    ["an address nobody has, such as a ClusterIP", "10.96.0.7", 443, "outbound 10.96.0.7 443"],
    ["IPv6", PEER_IPV6, 80, `outbound ${PEER_IPV6} 80`],
    ["mesh ports are left alone", PEER_IPV4, 4143, "peer ?"],
    ["skipped ports are left alone", PEER_IPV4, 7005, "peer ?"],
    ["loopback is left alone", "127.0.0.1", 8080, "app 127.0.0.1 8080"],
    ["the workload's own address is left alone", WORKLOAD_IPV4, 8080, `app ${WORKLOAD_IPV4} 8080`],
  ])("outbound: %s", async (_, ip, port, answer) => {
    expect(await fromWorkload(ip, port)).toBe(answer);
  });

  test.each([
    ["any port goes to the proxy", WORKLOAD_IPV4, 8080, `inbound ${WORKLOAD_IPV4} 8080`],
    ["IPv6", WORKLOAD_IPV6, 8080, `inbound ${WORKLOAD_IPV6} 8080`],
    ["the mesh port is left alone", WORKLOAD_IPV4, 4143, `mesh ${WORKLOAD_IPV4} 4143`],
    ["the admin port is left alone", WORKLOAD_IPV4, 4191, `admin ${WORKLOAD_IPV4} 4191`],
    ["skipped ports are left alone", WORKLOAD_IPV4, 7020, `skipped ${WORKLOAD_IPV4} 7020`],
  ])("inbound: %s", async (_, ip, port, answer) => {
    expect(await fromPeer(ip, port)).toBe(answer);
  });

  test("outbound: a marked socket passes, an unmarked one does not", async () => {
    const marked = await bed.workload.run(() => markedDial(PEER_IPV4, 80, PROXY_MARK));
    const unmarked = await bed.workload.run(() => markedDial(PEER_IPV4, 80, 0));
    expect([marked, unmarked]).toEqual(["peer ?", `outbound ${PEER_IPV4} 80`]);
  });

  test("outbound: the self-test address meets the proxy even when the socket is marked", async () => {
    const met = await bed.workload.run(() => markedDial(SELF_TEST_IPV4, SELF_TEST_PORT, PROXY_MARK));
    const met6 = await fromWorkload(SELF_TEST_IPV6, SELF_TEST_PORT);
    expect([met, met6]).toEqual([`outbound ${SELF_TEST_IPV4} 4140`, `outbound ${SELF_TEST_IPV6} 4140`]);
  });

  test.if(canSwitchUser())("outbound: the proxy's user passes, another does not", async () => {
    const dial = (uid: number) =>
      bed.workload.run(() => {
        const script = `exec 3<>/dev/tcp/${PEER_IPV4}/80; cat <&3`;
        return Bun.spawn(["bash", "-c", script], { uid, stdout: "pipe" } as Parameters<typeof Bun.spawn>[1]); // uid is absent from bun-types
      });
    const texts = await Promise.all(
      [PROXY_UID, 65534].map((uid) => new Response(dial(uid).stdout as ReadableStream).text()),
    );
    expect(texts).toEqual(["peer ?", `outbound ${PEER_IPV4} 80`]);
  });

  test("installCapture() replaces what was there, removeCapture() leaves nothing", async () => {
    using other = new Bed();
    const seen = other.workload.run(() => {
      installCapture(PLAN);
      installCapture(PLAN);
      const before = hasCapture();
      removeCapture();
      removeCapture();
      return [before, hasCapture()];
    });
    expect(seen).toEqual([true, false]);
  });

  test("rules of one namespace are not seen in another", () => {
    expect(bed.peer.run(() => hasCapture())).toBe(false);
  });

  test.if(Bun.which("nft") !== null)("nft prints the rules as we mean them", () => {
    const list = bed.workload.run(() => Bun.spawnSync(["nft", "list", "table", "inet", "tulle"])).stdout.toString();
    const lines = list.split("\n").map((line) => line.trim().replace(/ comment .*/, ""));
    expect(lines.filter((line) => /redirect|return/.test(line))).toEqual([
      "ip daddr 203.0.113.210 tcp dport 4140 redirect to :4140",
      "ip6 daddr 2001:db8::2102 tcp dport 4140 redirect to :4140",
      "meta skuid 2102 return",
      "meta mark 0x00002102 return",
      'oifname "lo" return',
      "tcp dport 4143 return",
      "tcp dport 7000-7010 return",
      "meta l4proto tcp redirect to :4140",
      'iifname "lo" return',
      "tcp dport 4143 return",
      "tcp dport 4191 return",
      "tcp dport 7020 return",
      "meta l4proto tcp redirect to :4145",
    ]);
  });
});

/** In a user namespace with one mapped user there is no other to switch to. */
function canSwitchUser(): boolean {
  if (how !== "here") return false;
  return Bun.spawnSync(["setpriv", "--reuid", "2102", "true"], { stderr: "ignore" }).exitCode === 0;
}
