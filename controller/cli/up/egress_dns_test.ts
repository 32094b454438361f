import { expect, test } from "bun:test";
import { readDns } from "./egress_dns.ts";

test.each([
  [{}, { pinned: false, nameservers: [] }, ""],
  [
    { "tulle.dev/egress-dns": "pinned", "tulle.dev/nameservers": "10.0.0.1, FD00::0A" },
    { pinned: true, nameservers: ["10.0.0.1", "fd00::a"] },
    "",
  ],
  [{ "tulle.dev/egress-dns": "pined" }, { pinned: true, nameservers: [] }, 'found "pined", want off or pinned'],
  [{ "tulle.dev/nameservers": "dns" }, { pinned: false, nameservers: [] }, "want at most 3 addresses"],
])("readDns() of %p", (annotations, settings, problem) => {
  const problems: string[] = [];
  expect(readDns(annotations, "web", problems)).toEqual(settings);
  expect(problems.join()).toContain(problem);
});
