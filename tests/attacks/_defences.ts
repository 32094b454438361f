/**
 * Defences, each with a change that takes it out of the source and attacks that must then be seen to succeed: so an attack
 * that is not repelled would show. One for each family of attacks, at the least.
 *
 * A change is an exact text that stands once in a file; a file that has moved on fails loudly.
 */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
/** What a program of the proxy is made of. */
const SOURCES = ["src", "controller", "proto", "deno.json"];

export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Defence {
  /** What is taken away. */
  readonly what: string;
  readonly changes: readonly Change[];
  /** Attacks of which at least one must succeed, "family: name (place)". */
  readonly attacks: string;
  /** Share of the full size; more is not needed, and may take all memory of the machine. */
  readonly scale: number;
}

const HTTP = "src/http/limits.ts";
const KEEPS_IDLE: Change = {
  file: "src/proxy/connection/admission.ts",
  find: "const MAX_CLOSED = 4;",
  replace: "const MAX_CLOSED = 0;",
};

export const DEFENCES: Readonly<Record<string, Defence>> = {
  control_budget: {
    what: "the budget of frames that carry nothing",
    changes: [{ file: "src/http/control_budget.ts", find: "return this.#tokens > 0;", replace: "return true;" }],
    attacks: "(resets: rapid reset|control_floods: flood of PING).*outbound",
    scale: 0.2,
  },
  header_block: {
    what: "the limit on header blocks",
    changes: [
      {
        file: HTTP,
        find: "MAX_HEADER_BLOCK_BYTES = 2 * MAX_HEADER_LIST_BYTES",
        replace: "MAX_HEADER_BLOCK_BYTES = 1024 ** 3",
      },
      { file: HTTP, find: "MAX_CONTINUATIONS = 16", replace: "MAX_CONTINUATIONS = 1e9" },
    ],
    attacks: "header_floods: CONTINUATION without an end.*outbound",
    scale: 0.2,
  },
  waiting_bytes: {
    what: "the budget of waiting bytes",
    changes: [{
      file: HTTP,
      find: "WAITING_BYTES_BUDGET = 128 * 1024 * 1024",
      replace: "WAITING_BYTES_BUDGET = 1024 ** 4",
    }],
    attacks: "(flow_control: slow readers|tunnels: 500 opaque).*inbound",
    scale: 1,
  },
  head_timeout: {
    what: "the time limit on heads",
    changes: [{ file: HTTP, find: "HEAD_TIMEOUT_MS = 30_000", replace: "HEAD_TIMEOUT_MS = 3_000_000" }],
    attacks: "slowloris: slow heads.*outbound",
    scale: 1,
  },
  chunk_extensions: {
    what: "the limit on what chunk extensions add up to",
    changes: [{
      file: "src/wire/http1/limits.ts",
      find: "MAX_EXTENSION_DEBT_BYTES = 16 * 1024",
      replace: "MAX_EXTENSION_DEBT_BYTES = 1024 ** 4",
    }],
    attacks: "small_pieces: chunks of one byte with extensions.*outbound",
    scale: 0.2,
  },
  handshake_share: {
    what: "the share of handshakes",
    changes: [{
      file: "src/proxy/connection/handshakes.ts",
      find: "MAX_HANDSHAKES = 1024;",
      replace: "MAX_HANDSHAKES = 1e9;",
    }],
    attacks: "tls: half handshakes",
    scale: 1,
  },
  connection_share: {
    what: "the share of connections, and room at the cost of idle ones",
    changes: [{
      file: "src/proxy/connection/peers.ts",
      find: "return mayHold(held + 1, used, most, CONNECTION_WEIGHT);",
      replace: "return mayHold(0, used, Infinity, CONNECTION_WEIGHT);",
    }, KEEPS_IDLE],
    attacks: "connections: one client takes all.*inbound",
    scale: 1,
  },
  idle_connections: {
    what: "room for a further connection at the cost of idle ones",
    changes: [KEEPS_IDLE],
    attacks: "connections: one client takes all.*outbound",
    scale: 1,
  },
  transport_timeout: {
    what: "the time limit on transport headers",
    changes: [{
      file: "src/proxy/inbound/mesh_accept.ts",
      find: "HANDSHAKE_TIMEOUT_MS = 5000;",
      replace: "HANDSHAKE_TIMEOUT_MS = 5_000_000;",
    }],
    attacks: "transport_header: headers that never end",
    scale: 1,
  },
  upstream_head: {
    what: "the limit on heads of applications",
    changes: [
      { file: "src/wire/http1/limits.ts", find: "MAX_HEAD_BYTES = 64 * 1024", replace: "MAX_HEAD_BYTES = 1024 ** 3" },
    ],
    attacks: "upstream: the application sends a head(er line)? without an end",
    scale: 1,
  },
  workload_streams: {
    what: "the limit on streams of one workload",
    changes: [{
      file: "controller/serve/discovery_service.ts",
      find: "MAX_STREAMS_PER_WORKLOAD = 8;",
      replace: "MAX_STREAMS_PER_WORKLOAD = 1e9;",
    }],
    attacks: "controller: streams of one workload",
    scale: 0.1,
  },
  scrapes: {
    what: "the limit on metrics texts",
    changes: [{
      file: "src/base/scrapes.ts",
      find: "MAX_TEXTS_PER_SECOND = 16;",
      replace: "MAX_TEXTS_PER_SECOND = 1e9;",
    }, {
      file: "src/base/scrapes.ts",
      find: "MAX_ANSWERS_PER_SECOND = 128;",
      replace: "MAX_ANSWERS_PER_SECOND = 1e9;",
    }],
    attacks: "admin: scrapes",
    scale: 1,
  },
};

/** The files of the source as they are without a defence. @throws when a text does not stand exactly once where it should */
export function changedFiles({ changes }: Pick<Defence, "changes">): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { file, find, replace } of changes) {
    const parts = (files.get(file) ?? readFileSync(join(ROOT, file), "utf8")).split(find);
    if (parts.length !== 2) throw new Error(`${file}: found ${parts.length - 1} times, want once: ${find}`);
    files.set(file, parts.join(replace));
  }
  return files;
}

/**
 * Makes a program without a defence, in a folder of its own that the caller removes.
 *
 * @returns the folder, and the program in it
 */
export function withoutDefence(defence: Defence): { readonly folder: string; readonly program: string } {
  const folder = mkdtempSync(join(tmpdir(), "tulle-without-"));
  for (const name of SOURCES) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [file, text] of changedFiles(defence)) writeFileSync(join(folder, file), text);
  const program = join(folder, "tulle");
  const command = `exec '${process.execPath}' '${join(folder, "src/main.ts")}' "$@"`;
  writeFileSync(program, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  return { folder, program };
}
