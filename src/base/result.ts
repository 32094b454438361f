/** Outcome of reading something that came from outside: the value, or a text that says where, what was found and what was wanted. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** The good outcome. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** The bad outcome: "path: found X, want Y". */
export function bad(path: string, found: string, want: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error: `${path}: found ${found}, want ${want}` };
}
