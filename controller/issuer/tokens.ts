/** Join tokens: who holds which. The file holds hashes only, so that reading it gives nobody an identity. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Refusal, TokenSource, TokenSubject } from "../core/issuing.ts";

/** Longest token, characters: projected ServiceAccount tokens have about 1 000. */
const MAX_TOKEN_LENGTH = 8192;

interface Entry {
  readonly hash: Uint8Array;
  readonly subject: TokenSubject;
}

/** Tokens by hash. Every look-up compares all of them in constant time. */
export class TokenTable implements TokenSource {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Number of tokens. */
  get size(): number {
    return this.#entries.length;
  }

  check(token: string): Promise<TokenSubject | Refusal> {
    const detail =
      "the token is unknown or no longer valid: check the token file of the proxy and --tokens of the controller";
    return Promise.resolve(this.find(token) ?? { code: "unauthenticated", detail });
  }

  /** Who the token stands for, or null when nobody. */
  find(token: string): TokenSubject | null {
    if (token.length === 0 || token.length > MAX_TOKEN_LENGTH) return null;
    const hash = createHash("sha256").update(token).digest();
    let found: TokenSubject | null = null;
    for (const entry of this.#entries) if (timingSafeEqual(entry.hash, hash)) found = entry.subject;
    return found;
  }
}

/** No token is valid. */
export const NO_TOKENS = new TokenTable([]);

/**
 * Parses `{"<sha256 hex of token>": {"namespace": "shop", "serviceAccount": "front", "workload": "front-0"}}`. Never throws.
 * @returns the table, or what is wrong in one line (which repeats no hash)
 */
export function parseTokens(file: string, text: string): TokenTable | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `${file}: not JSON`; // the parser's message would repeat the text
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${file}: want a mapping from sha256 of a token to namespace, serviceAccount and workload`;
  }
  const entries: Entry[] = [];
  for (const [hash, item] of Object.entries(value)) {
    const at = `${file}: entry ${entries.length + 1}`;
    if (!/^[0-9a-f]{64}$/.test(hash)) return `${at}: its key is no sha256 in lower-case hex (64 characters)`;
    if (typeof item !== "object" || item === null) return `${at}: want namespace, serviceAccount and workload`;
    const { namespace, serviceAccount, workload } = item as Record<string, unknown>; // each is checked next
    if (!isName(namespace)) return `${at}: namespace: want a name of a–z, 0–9 and -`;
    if (!isName(serviceAccount)) return `${at}: serviceAccount: want a name of a–z, 0–9, - and .`;
    if (!isName(workload)) return `${at}: workload: want a name of a–z, 0–9, - and .`;
    entries.push({ hash: Buffer.from(hash, "hex"), subject: { namespace, serviceAccount, workload } });
  }
  return new TokenTable(entries);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(value);
}
