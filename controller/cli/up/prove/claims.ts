/** The file of claims: what `tulle up --prove` checks, each said in plain words. */
import { readFileSync } from "node:fs";
import { errorText, UsageError } from "../../../../src/base/error.ts";

/** A request that somebody makes. */
export type Request =
  | { readonly kind: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "grpc"; readonly url: string; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly send: string };

export type Check =
  /** Between sidecars there is TLS 1.3 and none of the markers can be read. */
  | { readonly kind: "wire"; readonly markers: readonly string[] }
  /** The request is refused: HTTP 403, gRPC PERMISSION_DENIED, or a connection that ends without an answer. */
  | {
    readonly kind: "refused";
    readonly from: string;
    readonly request: Request;
    /** Instance whose sidecar must have counted a denial meanwhile; null: the answer says enough. */
    readonly countedBy: string | null;
  }
  /** The request is answered, and the answer contains the texts. */
  | {
    readonly kind: "answered";
    readonly from: string;
    readonly request: Request;
    readonly contains: readonly string[];
  }
  /** Instances got at most this share of what another one got. */
  | { readonly kind: "share"; readonly of: readonly string[]; readonly than: string; readonly atMostPercent: number }
  /** All connections to an instance came over mutual TLS, and there were some. */
  | { readonly kind: "tcp"; readonly to: string }
  /** Of the calls of a workload at least this share succeeded. */
  | { readonly kind: "success"; readonly of: string; readonly atLeastPercent: number | null };

export interface Claim {
  /** In plain words. */
  readonly text: string;
  readonly check: Check;
  /** Instance without which the claim is left out, or null. */
  readonly needs: string | null;
}

/** Most claims of one file. */
const MAX_CLAIMS = 100;

/**
 * Reads a file of claims.
 *
 * @throws UsageError that names file, claim, key and wanted form
 */
export function readClaims(file: string): Claim[] {
  let value: unknown;
  try {
    value = Bun.YAML.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--prove: cannot read ${file}: ${errorText(error)}`);
  }
  return parseClaims(value, file);
}

/** @param value what YAML gave @throws UsageError */
export function parseClaims(value: unknown, file: string): Claim[] {
  const root = new Fields(value, file);
  const list = root.raw("claims");
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_CLAIMS) {
    throw root.wrong("claims", `a list of 1–${MAX_CLAIMS} claims`);
  }
  return list.map((item, i) => parseClaim(new Fields(item, `${file}: claims[${i}]`)));
}

const KINDS = ["wire", "refused", "answered", "share", "tcp", "success"] as const;

function parseClaim(claim: Fields): Claim {
  const kind = KINDS.find((each) => claim.raw(each) !== undefined);
  if (kind === undefined) throw claim.wrong("", `one of the keys ${KINDS.join(", ")}`);
  const fields = new Fields(claim.raw(kind), `${claim.place}.${kind}`);
  const needs = claim.raw("needs") === undefined ? null : claim.text("needs");
  return { text: claim.text("claim"), check: parseCheck(kind, fields), needs };
}

function parseCheck(kind: (typeof KINDS)[number], fields: Fields): Check {
  switch (kind) {
    case "wire":
      return { kind, markers: fields.texts("markers") };
    case "refused":
      return {
        kind,
        from: fields.text("from"),
        request: parseRequest(fields),
        countedBy: fields.raw("countedBy") === undefined ? null : fields.text("countedBy"),
      };
    case "answered":
      return { kind, from: fields.text("from"), request: parseRequest(fields), contains: fields.texts("contains") };
    case "share":
      return {
        kind,
        of: fields.texts("of"),
        than: fields.text("than"),
        atMostPercent: fields.percent("atMostPercent"),
      };
    case "tcp":
      return { kind, to: fields.text("to") };
    case "success": {
      const given = fields.raw("atLeastPercent") !== undefined;
      return { kind, of: fields.text("of"), atLeastPercent: given ? fields.percent("atLeastPercent") : null };
    }
  }
}

function parseRequest(fields: Fields): Request {
  const tcp = fields.raw("tcp");
  if (tcp !== undefined) {
    const found = /^([^:\s]+):(\d{1,5})$/.exec(fields.text("tcp"));
    if (found === null) throw fields.wrong("tcp", "host:port");
    return { kind: "tcp", host: found[1] as string, port: Number(found[2]), send: fields.text("send") }; // both groups matched
  }
  if (fields.raw("grpc") !== undefined) return { kind: "grpc", url: fields.text("grpc"), path: fields.text("path") };
  if (fields.raw("http") === undefined) throw fields.wrong("", "one of the keys http, grpc, tcp");
  const headers = fields.raw("headers") === undefined ? {} : fields.map("headers");
  return { kind: "http", url: fields.text("http"), headers };
}

/** Fields of a mapping, with errors that say where. */
class Fields {
  readonly place: string;
  readonly #raw: Readonly<Record<string, unknown>>;

  constructor(value: unknown, place: string) {
    this.place = place;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new UsageError(`${place}: want a mapping`);
    }
    this.#raw = value as Record<string, unknown>; // a mapping, checked above
  }

  raw(key: string): unknown {
    return Object.hasOwn(this.#raw, key) ? this.#raw[key] : undefined;
  }

  text(key: string): string {
    const value = this.raw(key);
    if (typeof value !== "string" || value === "") throw this.wrong(key, "text");
    return value;
  }

  texts(key: string): string[] {
    const value = this.raw(key);
    if (!Array.isArray(value) || value.some((item) => typeof item !== "string" || item === "")) {
      throw this.wrong(key, "a list of texts");
    }
    return value as string[]; // checked item by item
  }

  map(key: string): Record<string, string> {
    const fields = new Fields(this.raw(key), `${this.place}.${key}`);
    return Object.fromEntries(Object.keys(fields.#raw).map((name) => [name, fields.text(name)]));
  }

  percent(key: string): number {
    const value = this.raw(key);
    if (typeof value !== "number" || value < 0 || value > 100) throw this.wrong(key, "a number 0–100");
    return value;
  }

  wrong(key: string, want: string): UsageError {
    const found = key === "" ? Object.keys(this.#raw).join(", ") : JSON.stringify(this.raw(key)) ?? "nothing";
    return new UsageError(`${this.place}${key === "" ? "" : `.${key}`}: found ${found}, want ${want}`);
  }
}
