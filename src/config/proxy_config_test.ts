import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseProxyConfig, proxyConfigHelp } from "./proxy_config.ts";

const MINIMAL = {
  TULLE_WORKLOAD_NAMESPACE: "shop",
  TULLE_WORKLOAD_NAME: "front-0",
  TULLE_WORKLOAD_ADDRESSES: "10.77.0.12",
  TULLE_CONTROLLER_ADDRESS: "10.77.0.2:8086",
  TULLE_TRUST_BUNDLE_FILE: "/run/tulle/bundle.pem",
  TULLE_TOKEN_FILE: "/run/tulle/token",
};

test("parseProxyConfig() fills in the defaults", () => {
  const parsed = parseProxyConfig(MINIMAL);
  expect(parsed).toEqual({
    ok: true,
    warnings: [],
    value: {
      workloadNamespace: "shop",
      workloadName: "front-0",
      workloadAddresses: ["10.77.0.12"],
      controllerAddress: { host: "10.77.0.2", port: 8086 },
      trustBundleFile: "/run/tulle/bundle.pem",
      tokenFile: "/run/tulle/token",
      outboundAddress: { host: "127.0.0.1", port: 4140 },
      meshAddress: { host: "::", port: 4143 },
      inboundAddress: { host: "::", port: 4145 },
      adminAddress: { host: "::", port: 4191 },
      egressDns: "off",
      dnsAddress: { host: "127.0.0.1", port: 4153 },
      nameservers: null,
      adminAllow: [],
      stateDir: null,
      accessLog: "off",
      logLevel: "info",
      uid: null,
      dialMark: null,
      capture: "off",
      outboundForwards: [],
      probes: [],
      drainGraceMs: 30_000,
      workers: 1,
      upgradeGraceMs: 600_000,
      keepPid: "auto",
      failFastAfterMs: 3_000,
      expiredGraceMs: 3_600_000,
    },
  });
});

test("parseProxyConfig() keeps to one thread where names are pinned, and says so", () => {
  const parsed = parseProxyConfig({ ...MINIMAL, TULLE_EGRESS_DNS: "pinned", TULLE_WORKERS: "4" });
  expect(parsed).toMatchObject({ ok: true, value: { egressDns: "pinned", workers: 1 } });
  expect(parsed.ok && parsed.warnings.join()).toContain("TULLE_WORKERS: found 4");
});

test.each([
  ["TULLE_WORKLOAD_NAMESPACE", "Shop", "a name of at most 63"],
  ["TULLE_WORKLOAD_NAME", "a..b", "a name of"],
  ["TULLE_WORKLOAD_ADDRESSES", "10.0.0", "IP addresses separated by commas"],
  ["TULLE_WORKLOAD_ADDRESSES", "", "at least one"],
  ["TULLE_CONTROLLER_ADDRESS", "controller", "a host and a port"],
  ["TULLE_CONTROLLER_ADDRESS", "controller:0", "a host and a port"],
  ["TULLE_CONTROLLER_ADDRESS", "controller:65536", "a host and a port"],
  ["TULLE_TRUST_BUNDLE_FILE", "bundle.pem", "an absolute path"],
  ["TULLE_OUTBOUND_ADDRESS", "0.0.0.0:4140", "a loopback address"],
  ["TULLE_EGRESS_DNS", "on", "off or pinned"],
  ["TULLE_DNS_ADDRESS", "10.0.0.1:53", "a loopback address"],
  ["TULLE_NAMESERVERS", "dns.example.org:53", "IP addresses with ports"],
  ["TULLE_MESH_ADDRESS", ":4143", "an IP address and a port"],
  ["TULLE_MESH_ADDRESS", "::4143", "an IP address and a port"],
  ["TULLE_INBOUND_ADDRESS", "[::]:4143", "want another than that of TULLE_MESH_ADDRESS"],
  ["TULLE_ADMIN_ALLOW", "10.0.0.0/33", "CIDR blocks"],
  ["TULLE_ACCESS_LOG", "yes", "off or json"],
  ["TULLE_LOG_LEVEL", "trace", "debug, info, warn, error"],
  ["TULLE_UID", "0", "a user id above 0"],
  ["TULLE_UID", "nobody", "a user id above 0"],
  ["TULLE_DIAL_MARK", "0x100000000", "a number of 32 bits"],
  ["TULLE_CAPTURE", "yes", "off or required"],
  ["TULLE_DIAL_MARK", "0", "a number of 32 bits"],
  ["TULLE_OUTBOUND_FORWARDS", "127.0.0.1:9000", 'pairs "listen=target"'],
  ["TULLE_OUTBOUND_FORWARDS", "127.0.0.1:9000=web:80", 'pairs "listen=target"'],
  ["TULLE_PROBES", "tcp:8080,udp:53", "probes separated by commas"],
  ["TULLE_PROBES", "https:8443", "probes separated by commas"],
  ["TULLE_DRAIN_GRACE", "30", "a duration such as"],
  ["TULLE_DRAIN_GRACE", "11m", "at most 10m"],
])("parseProxyConfig() refuses %s=%s and says what it wants", (key, value, want) => {
  const parsed = parseProxyConfig({ ...MINIMAL, [key]: value });
  const error = parsed.ok ? "" : parsed.errors.join("\n");
  expect(error).toStartWith(`${key}: found `);
  expect(error).toContain(want);
});

const many = (item: string) => Array(65).fill(item).join(",");

test.each([
  ["TULLE_OUTBOUND_FORWARDS", many("127.0.0.1:9000=10.96.0.10:80"), 'want at most 64 pairs "listen=target"'],
  ["TULLE_WORKLOAD_ADDRESSES", many("10.77.0.12"), "want at most 64 addresses"],
  ["TULLE_NAMESERVERS", many("10.96.0.10:53"), "want at most 64 addresses"],
  ["TULLE_ADMIN_ALLOW", many("10.0.0.0/8"), "want at most 64 blocks"],
  ["TULLE_PROBES", many("tcp:8080"), "want at most 64 probes"],
])("parseProxyConfig() tells a list of %s that is too long from a malformed one", (key, value, want) => {
  const parsed = parseProxyConfig({ ...MINIMAL, [key]: value });
  expect(parsed.ok ? "" : parsed.errors.join("\n")).toEndWith(want);
});

test("parseProxyConfig() reports all errors at once", () => {
  const parsed = parseProxyConfig({ TULLE_UID: "x" });
  expect(parsed.ok ? [] : parsed.errors.map((error) => error.split(":")[0])).toEqual([
    ...Object.keys(MINIMAL),
    "TULLE_UID",
  ]);
});

test("parseProxyConfig() reads lists and ranges", () => {
  const parsed = parseProxyConfig({
    ...MINIMAL,
    TULLE_WORKLOAD_ADDRESSES: "10.77.0.12, fd00::12",
    TULLE_OUTBOUND_FORWARDS: "127.0.0.1:9000=10.96.0.10:80,[::1]:9001=[fd00::9]:443",
    TULLE_ADMIN_ALLOW: "10.77.0.0/16",
    TULLE_DRAIN_GRACE: "1m30s",
    TULLE_UID: "2102",
    TULLE_DIAL_MARK: "0x2102",
  });
  expect(parsed.ok && parsed.value).toMatchObject({
    workloadAddresses: ["10.77.0.12", "fd00::12"],
    outboundForwards: [
      { listen: { host: "127.0.0.1", port: 9000 }, target: { host: "10.96.0.10", port: 80 } },
      { listen: { host: "::1", port: 9001 }, target: { host: "fd00::9", port: 443 } },
    ],
    drainGraceMs: 90_000,
    failFastAfterMs: 3_000,
    expiredGraceMs: 3_600_000,
    uid: 2102,
    dialMark: 0x2102,
  });
});

test("parseProxyConfig() lets listeners share port 0, which means any", () => {
  const any = {
    TULLE_MESH_ADDRESS: "127.0.0.1:0",
    TULLE_INBOUND_ADDRESS: "127.0.0.1:0",
    TULLE_ADMIN_ADDRESS: "[::1]:0",
  };
  expect(parseProxyConfig({ ...MINIMAL, ...any }).ok).toBe(true);
});

test("parseProxyConfig() treats an empty optional setting as absent", () => {
  const parsed = parseProxyConfig({ ...MINIMAL, TULLE_STATE_DIR: "", TULLE_UID: "" });
  expect(parsed.ok && parsed.value).toMatchObject({ stateDir: null, uid: null });
});

test("parseProxyConfig() warns of a key that looks like a slip", () => {
  const parsed = parseProxyConfig({ ...MINIMAL, TULLE_LOGLEVEL: "debug", TULLE_SOMETHING_ELSE: "1", PATH: "/bin" });
  expect(parsed.ok && parsed.warnings).toEqual([
    "TULLE_LOGLEVEL is not a setting of the proxy: did you mean TULLE_LOG_LEVEL?",
  ]);
});

test("parseProxyConfig() gives a value or errors for any text", () => {
  const keys = proxyConfigHelp().match(/TULLE_[A-Z_]+/g) ?? [];
  fc.assert(fc.property(fc.constantFrom(...keys), fc.string(), (key, value) => {
    const parsed = parseProxyConfig({ ...MINIMAL, [key]: value });
    return parsed.ok || parsed.errors.length > 0;
  }));
});
