/**
 * HPACK by the stories of the http2jp project: header sections of real sites as fourteen encoders of others compress them,
 * a connection to a story. Each is decoded by the mesh's decoder, and what it yields is encoded by the mesh's encoder and
 * decoded by that of Go.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ByteSink } from "../../../src/base/byte_sink.ts";
import type { HeaderBlock } from "../../../src/wire/header_block.ts";
import { HpackDecoder, MALFORMED, REQUEST, RESPONSE } from "../../../src/wire/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/wire/hpack/encoder.ts";
import { findProgram, run } from "../../support/process.ts";
import { CACHE, goBuild } from "../go_tools.ts";
import { skippedSuite, type SuiteResult, Tally } from "../suite.ts";

/** A crate that has the stories among its tests. */
const CRATE = "httlib-hpack";
const VERSION = "0.1.3";
const GO_HPACK = ["golang.org/x/net", "v0.60.0"] as const;
const FETCH_MS = 120_000;
/** Limits of a decoder: the table is as large as the stories ask for, a section as large as theirs are. */
const LIMITS = { maxTableSize: 16_384, maxListBytes: 1 << 20, maxFields: 1_000 };
/** Fields of a connection, which have no place in HTTP/2 (RFC 9113 §8.2.2): the stories have them from HTTP/1.1. */
const CONNECTION_FIELDS = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

interface Story {
  readonly cases: readonly {
    readonly wire: string;
    readonly headers: readonly Readonly<Record<string, string>>[];
  }[];
}

/** A story and where it comes from, "nghttp2 story_00". */
interface Named {
  readonly name: string;
  readonly encoder: string;
  readonly story: Story;
}

export async function runHpack(say: (line: string) => void): Promise<SuiteResult> {
  const stories = await fetchStories();
  const go = await goBuild(join(import.meta.dirname, "go_decoder", "main.go"), "hpack-decoder", ...GO_HPACK);
  const reason = "reason" in stories ? stories.reason : "reason" in go ? go.reason : "";
  if ("reason" in stories || "reason" in go) {
    say(`skip hpack: ${reason}`);
    return skippedSuite("hpack", reason);
  }
  const tally = new Tally();
  const decoded = stories.map((one) => decodeStory(one, tally));
  const input = decoded.map((blocks) => JSON.stringify(encodeAll(blocks))).join("\n");
  const done = await run({ argv: [go.path("hpack-decoder")], name: "Go's decoder", stdin: `${input}\n` });
  const lines = done.stdout.trim().split("\n");
  for (const [at, { name }] of stories.entries()) {
    const wanted = JSON.stringify((decoded[at] ?? []).map(listOf));
    const found = JSON.stringify(JSON.parse(lines[at] ?? "null")); // Go spells some characters in another way
    if (found === wanted) tally.pass("our encoder → Go");
    else tally.fail(`our encoder → Go ${name}`, `${found.slice(0, 300)} instead of ${wanted.slice(0, 300)}`);
  }
  return tally.result("hpack", `${CRATE} ${VERSION}, ${GO_HPACK.join(" ")}`);
}

/** Decodes a story, counts whether it went right, and returns the sections that are good as HTTP. */
function decodeStory({ name, encoder, story }: Named, tally: Tally): HeaderBlock[] {
  const decoder = new HpackDecoder(LIMITS);
  const blocks: HeaderBlock[] = [];
  for (const [at, { wire, headers }] of story.cases.entries()) {
    const bytes = Buffer.from(wire, "hex");
    const fields = headers.flatMap((header) => Object.entries(header));
    const kind = fields.some(([field]) => field === ":status") ? RESPONSE : REQUEST;
    const block = decoder.decode(bytes, 0, bytes.length, kind);
    if (block === MALFORMED && fields.some(([field]) => CONNECTION_FIELDS.has(field))) continue; // as it should be
    const found = typeof block === "number" ? `error ${block}` : JSON.stringify(sorted(listOf(block)));
    const wanted = JSON.stringify(sorted(expected(fields)));
    if (found !== wanted) {
      tally.fail(`${encoder} → our decoder ${name}`, `section ${at}: ${found} instead of ${wanted}`);
      return blocks;
    }
    blocks.push(block as HeaderBlock); // a number would differ
  }
  tally.pass(`${encoder} → our decoder`);
  return blocks;
}

/** What a section says, in the form that the decoder gives it: cookies in one field, Host as the authority. */
function expected(fields: readonly (readonly [string, string])[]): string[] {
  const cookies = fields.filter(([name]) => name === "cookie").map(([, value]) => value);
  const hasAuthority = fields.some(([name]) => name === ":authority");
  const out: string[] = [];
  for (const [name, value] of fields) {
    if (name === "cookie" || name === "host" && hasAuthority) continue;
    out.push(name === "host" ? ":authority" : name, value);
  }
  if (cookies.length > 0) out.push("cookie", cookies.join("; "));
  return out;
}

/** All that a block says, pseudo-header fields first. */
function listOf(block: HeaderBlock): string[] {
  const start = block.status > 0
    ? [":status", String(block.status)]
    : [":method", block.method, ":scheme", block.scheme, ":authority", block.authority, ":path", block.path];
  const said: string[] = [];
  for (let at = 0; at < start.length; at += 2) {
    if (start[at + 1] !== "") said.push(start[at] as string, start[at + 1] as string); // pairs
  }
  return [...said, ...block.fields];
}

/** Pairs in an order of their own, so that lists can be compared. */
function sorted(list: readonly string[]): string[] {
  const pairs: string[] = [];
  for (let at = 0; at < list.length; at += 2) pairs.push(`${list[at]}: ${list[at + 1]}`);
  return pairs.sort();
}

function encodeAll(blocks: readonly HeaderBlock[]): string[] {
  const encoder = new HpackEncoder();
  return blocks.map((block) => {
    const sink = new ByteSink(1024);
    encoder.encode(block, sink);
    return Buffer.from(sink.buffer.subarray(0, sink.length)).toString("hex");
  });
}

/** The stories, fetched once by cargo, or why they cannot be had. */
async function fetchStories(): Promise<readonly Named[] | { readonly reason: string }> {
  const folder = join(CACHE, "hpack");
  const fixtures = join(folder, "vendor", CRATE, "fixtures");
  if (!existsSync(fixtures)) {
    const cargo = findProgram("cargo");
    if (cargo === null) return { reason: "cargo is missing, which fetches the stories" };
    mkdirSync(folder, { recursive: true });
    // cargo fetches what a package depends on: this one is nothing else.
    const manifest = `[package]\nname = "stories"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n` +
      `[dependencies]\n${CRATE} = "=${VERSION}"\n`;
    writeFileSync(join(folder, "Cargo.toml"), manifest);
    writeFileSync(join(folder, "lib.rs"), "");
    const done = await run({ argv: [cargo, "vendor", "vendor"], name: "cargo", cwd: folder, timeoutMs: FETCH_MS });
    if (done.code !== 0) return { reason: `cargo vendor failed: ${done.stderr.trim().slice(-300)}` };
  }
  return readdirSync(fixtures).filter((name) => !name.includes(".")).sort().flatMap((encoder) =>
    readdirSync(join(fixtures, encoder)).filter((file) => file.endsWith(".json")).sort().map((file) => ({
      name: file.replace(".json", ""),
      encoder,
      story: JSON.parse(readFileSync(join(fixtures, encoder, file), "utf8")) as Story,
    }))
  );
}
