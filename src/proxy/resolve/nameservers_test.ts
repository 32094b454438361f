import { expect, test } from "bun:test";
import { parseNameservers } from "./nameservers.ts";

test.each([
  ["nameserver 10.96.0.10\nsearch shop.svc.cluster.local\noptions ndots:5\n", ["10.96.0.10"]],
  ["# nameserver 10.0.0.1\n;nameserver 10.0.0.2\n\tnameserver   10.0.0.3  # mine\n", ["10.0.0.3"]],
  ["nameserver FD00::0A\nnameserver fe80::1%eth0\nnameserver dns.example.org", ["fd00::a"]],
  ["nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4", [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
  ]],
  ["", []],
])("parseNameservers() reads %j", (text, hosts) => {
  expect(parseNameservers(text)).toEqual(hosts.map((host) => ({ host, port: 53 })));
});
