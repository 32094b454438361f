/** Runs a DNS relay in the namespace where it is started, as the proxy's user; prints a line for all that it has learnt. */
import { PROXY_UID } from "../../src/capture/capture_plan.ts";
import { dropPrivileges } from "../../src/net/user.ts";
import { DnsRelay } from "../../src/proxy/resolve/dns_relay.ts";
import { Pins } from "../../src/proxy/resolve/pins.ts";

const [nameserver = "", port = ""] = process.argv.slice(2);
const pins = new Pins();
const relay = new DnsRelay({
  pins,
  observer: { onQuery() {}, onAnswer() {}, onFailure: (transport, reason) => console.log(`${transport} ${reason}`) },
  nameservers: () => [{ host: nameserver, port: 53 }],
  onLearnt: () =>
    console.log(pins.save().map(([name, addresses]) => `${name} ${addresses.map(([ip]) => ip)}`).join(" ")),
  clock: () => performance.now(),
  randomId: () => Math.floor(Math.random() * 0x10000),
});
dropPrivileges(PROXY_UID);
for (const host of ["127.0.0.1", "::1"]) await relay.open(host, Number(port), false);
console.log("ready");
