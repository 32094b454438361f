import { expect, test } from "bun:test";
import { parseFile } from "./parse_file.ts";

function problemsOf(kind: string, networks: string): string[] {
  const more = kind === "EgressNetwork" ? ", trafficPolicy: Deny" : "";
  const text =
    `apiVersion: policy.tulle.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: n}\nspec: {networks: ${networks}${more}}\n`;
  return parseFile("n.yaml", text).errors.map(({ path, detail }) => `${path}: ${detail}`);
}

const KINDS = ["NetworkAuthentication", "EgressNetwork"];
const CASES: readonly (readonly [networks: string, problem: string | null])[] = [
  ["[{cidr: 10.0.0.0/8, except: [10.9.0.0/16, 10.1.2.3]}]", null],
  ["[{cidr: 10.0.0.7}]", null],
  ["[{cidr: '::ffff:10.0.0.0/104', except: ['10.9.0.0/16']}]", null],
  ["[{cidr: 0.0.0.0/0}, {cidr: '::/0', except: ['fd00::/8']}]", null],
  [
    "[{cidr: 10.1.2.3/8}]",
    'spec.networks[0].cidr: found "10.1.2.3/8", want the network, 10.0.0.0/8, or the one address, 10.1.2.3',
  ],
  [
    "[{cidr: 'fd00::1/8'}]",
    'spec.networks[0].cidr: found "fd00::1/8", want the network, fd00::/8, or the one address, fd00::1',
  ],
  [
    "[{cidr: 10.0.0.0/8, except: [10.9.1.0/16]}]",
    'spec.networks[0].except[0]: found "10.9.1.0/16", want the network, 10.9.0.0/16, or the one address, 10.9.1.0',
  ],
  [
    "[{cidr: 10.0.0.0/8, except: [10.9.0.0/16, 192.168.0.0/16]}]",
    'spec.networks[0].except[1]: found "192.168.0.0/16", want a part of its cidr, 10.0.0.0/8, and not all of it',
  ],
  [
    "[{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]",
    'spec.networks[0].except[0]: found "10.0.0.0/8", want a part of its cidr, 10.0.0.0/8, and not all of it',
  ],
  [
    "[{cidr: 10.0.0.0/8, except: ['::/0']}]",
    'spec.networks[0].except[0]: found "::/0", want a part of its cidr, 10.0.0.0/8, and not all of it',
  ],
];

test.each(KINDS.flatMap((kind) => CASES.map(([networks, problem]) => [kind, networks, problem] as const)))(
  "%s with networks %s: %p",
  (kind, networks, problem) => {
    expect(problemsOf(kind, networks)).toEqual(problem === null ? [] : [problem]);
  },
);
