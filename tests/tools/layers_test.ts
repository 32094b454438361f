import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { denoCommand } from "./deno_command.ts";
import { judgeImport, judgeLength, MAX_LINES, MAX_LONG_LINES } from "./layers.ts";

const here = new URL(".", import.meta.url).pathname;
const line = "// x\n";

/** Path → content → what the linter must say of it (null: nothing). */
const PLANTED: readonly (readonly [path: string, text: string, expected: string | null])[] = [
  [
    "src/wire/a.ts",
    `import { b } from "../model/b.ts";\nexport const a = b;\n`,
    "src/wire/ (level 1) may not import src/model/",
  ],
  [
    "src/wire/b.ts",
    `import type { B } from "../model/b.ts";\nexport type A = B;\n`,
    "src/wire/ (level 1) may not import",
  ],
  ["src/model/c.ts", `export * from "../http/leg.ts";\n`, "src/model/ (level 1) may not import src/http/ (level 2)"],
  ["src/proxy/route/d.ts", `import { p } from "../policy/p.ts";\nexport const d = p;\n`, "stages are strangers"],
  ["src/proxy/policy/e.ts", `import type { R } from "../route/r.ts";\nexport type E = R;\n`, "stages are strangers"],
  ["src/proxy/route/f.ts", `import type { P } from "../policy/p.ts";\nexport type F = P;\n`, null],
  [
    "src/proxy/route/fa.ts",
    `import { x } from "../exchange/x.ts";\nexport const fa = x;\n`,
    "(level 3) may not import",
  ],
  ["src/proxy/exchange/fb.ts", `import { x } from "../outbound/x.ts";\nexport const fb = x;\n`, "(level 4) may not"],
  ["src/proxy/exchange/fc.ts", `import type { X } from "../outbound/x.ts";\nexport type Fc = X;\n`, null],
  ["src/proxy/inbound/fd.ts", `import { x } from "../outbound/x.ts";\nexport const fd = x;\n`, "(level 6) may not"],
  ["src/proxy/inbound/fe.ts", `import { x } from "../exchange/x.ts";\nexport const fe = x;\n`, null],
  [
    "src/wire/g.ts",
    `import { readFileSync } from "node:fs";\nexport const g = readFileSync;\n`,
    "may not import node:fs",
  ],
  ["src/model/h.ts", `export const h = () => Bun.version;\n`, "may not use Bun"],
  ["src/base/i.ts", `export const i = process.pid;\n`, "may not use process"],
  ["src/base/j.ts", `export const j = (x: { process: number }) => x.process;\n`, null],
  ["src/proxy/k.ts", `import { Hono } from "hono";\nexport const k = Hono;\n`, "hono belongs to src/admin/"],
  ["src/admin/l.ts", `import { Hono } from "hono";\nexport const l = Hono;\n`, null],
  ["src/proxy/ka.ts", `import { join } from "node:path";\nexport const k = join;\n`, "in every sidecar's memory"],
  ["src/proxy/kb.ts", `export const k = () => import("node:path");\n`, null],
  ["controller/core/kc.ts", `import { join } from "node:path";\nexport const k = join;\n`, null],
  ["src/config/m.ts", `export default 1;\n`, "export by name"],
  ["src/base/z.ts", `/** One. */\nexport function y(): void {}\n\nexport function z(): void {}\n`, "say above it"],
  ["src/base/zz.ts", `/** One. */\nexport function y(): void {}\n\nfunction z(): void {}\nz();\n`, null],
  ["src/config/n.ts", `export enum N { A }\n`, "use a union"],
  ["src/config/o.ts", line.repeat(MAX_LINES + 1), `${MAX_LINES + 1} lines, want at most ${MAX_LINES}`],
  ["src/config/p.ts", `// long-file: one table\n${line.repeat(MAX_LONG_LINES - 1)}`, null],
  ["src/config/q.ts", `// long-file: one table\n${line.repeat(MAX_LONG_LINES)}`, `want at most ${MAX_LONG_LINES}`],
  [
    "src/config/r.ts",
    `import { c } from "../../controller/core/c.ts";\nexport const r = c;\n`,
    "share only src/base and proto/",
  ],
  [
    "controller/kube/s.ts",
    `import { m } from "../../src/model/m.ts";\nexport const s = m;\n`,
    "share only src/base and proto/",
  ],
  ["controller/core/t.ts", `import { d } from "../../src/base/d.ts";\nexport const t = d;\n`, null],
  [
    "controller/core/u.ts",
    `import { k } from "../kube/k.ts";\nexport const u = k;\n`,
    "(level 1) may not import controller/kube/",
  ],
  ["src/net/v.ts", `export const v = () => import("../main.ts");\n`, "main.ts is imported by no one"],
  ["src/main.ts", `import { r } from "./proxy/run.ts";\nr();\n`, "by import() only"],
  ["src/net/w.ts", `import { x } from "../base/_x.ts";\nexport const w = x;\n`, "is private to src/base/"],
  ["src/http/x.ts", `import fc from "fast-check";\nexport const x = fc;\n`, "is for tests only"],
  ["src/http/y_test.ts", `import fc from "fast-check";\nfc.assert;\n`, null],
];

let root = "";
const said = new Map<string, string>();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "tulle-layers-"));
  for (const name of ["layers.ts", "layers_plugin.ts"]) cpSync(join(here, name), join(root, "tests/tools", name));
  for (const [path, text] of PLANTED) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const rules = { tags: [] };
  writeFileSync(
    join(root, "deno.json"),
    JSON.stringify({ lint: { plugins: ["./tests/tools/layers_plugin.ts"], rules } }),
  );
  const run = Bun.spawnSync([...denoCommand(), "lint", "--json", "src", "controller"], { cwd: root });
  const report = JSON.parse(run.stdout.toString()) as { diagnostics: { filename: string; message: string }[] };
  for (const found of report.diagnostics) {
    const path = decodeURIComponent(new URL(found.filename).pathname).slice(root.length + 1);
    said.set(path, `${said.get(path) ?? ""}${found.message}\n`);
  }
}, 60_000);

afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each(PLANTED)("deno lint judges %s", (path, _text, expected) => {
  if (expected === null) expect(said.get(path)).toBeUndefined();
  else expect(said.get(path)).toContain(expected);
});

test("judgeImport() lets type imports of libraries pass, since they cost nothing", () => {
  const found = { from: "src/proxy/a.ts", specifier: "hono", isDynamic: false };
  expect(judgeImport({ ...found, isType: true })).toBeNull();
  expect(judgeImport({ ...found, isType: false })).not.toBeNull();
});

test("judgeLength() counts lines, not characters", () => {
  expect(judgeLength("src/a.ts", "x".repeat(100_000))).toBeNull();
});
