import { parseProxyConfig } from "../../../src/config/proxy_config.ts";
import { holds, type Target, textOf } from "../target.ts";

const GOOD = [
  "WORKLOAD_NAMESPACE=shop",
  "WORKLOAD_NAME=web-0",
  "WORKLOAD_ADDRESSES=10.0.0.1,fd00::1",
  "CONTROLLER_ADDRESS=controller.tulle:8086",
  "TRUST_BUNDLE_FILE=/b.pem",
  "TOKEN_FILE=/token",
].join("\n");

/** Lines KEY=VALUE without the prefix TULLE_. */
export const target: Target = {
  about: "the proxy's environment: a configuration, or errors that each name a key; never an exception",
  seeds: [
    GOOD,
    `${GOOD}\nOUTBOUND_FORWARDS=127.0.0.1:1=10.0.0.1:80,[::1]:2=[fd00::1]:81\nUID=2102\nDIAL_MARK=0x2102\nDRAIN_GRACE=1m\nWORKERS=2`,
    `${GOOD}\nADMIN_ALLOW=10.0.0.0/8,::/0\nPROBES=8080/healthz\nLOG_LEVEL=debug\nCAPTURE=required\nSTATE_DIR=/s\nFAIL_FAST_AFTER=1s`,
  ],
  dictionary: [
    "\nUID=",
    "\nWORKERS=",
    "\nPROBES=",
    "127.0.0.1:80",
    "[::1]:80",
    ",",
    "=",
    "0x",
    "s",
    "/",
    "99999999999999999999",
    "\nINBOUND_ADDRESS=",
  ],
  maxBytes: 700,
  run(input) {
    const env: Record<string, string> = {};
    for (const line of textOf(input).split("\n")) {
      const at = line.indexOf("=");
      if (at > 0) env[`TULLE_${line.slice(0, at)}`] = line.slice(at + 1);
    }
    const parsed = parseProxyConfig(env);
    if (parsed.ok) {
      const { value } = parsed;
      holds(value.workers >= 1 && Number.isInteger(value.workers), `${value.workers} workers`);
      holds(value.drainGraceMs >= 0 && Number.isFinite(value.drainGraceMs), `a grace of ${value.drainGraceMs}`);
      for (const { port } of [value.controllerAddress, value.meshAddress, value.inboundAddress, value.adminAddress]) {
        holds(port >= 0 && port <= 65_535 && Number.isInteger(port), `port ${port}`);
      }
      return;
    }
    holds(parsed.errors.length > 0, "no reason");
    for (const error of parsed.errors) holds(/TULLE_[A-Z0-9_]+/.test(error), `an error without a key: ${error}`);
  },
};
