/** PEM (RFC 7468) to DER and back. */

/** Writes one PEM block. @param label for instance "CERTIFICATE" */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = der.toBase64();
  let body = "";
  for (let i = 0; i < base64.length; i += 64) body += base64.slice(i, i + 64) + "\n";
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

/** All blocks with this label; blocks that are not base64 are left out. */
export function fromPem(label: string, pem: string): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (const part of pem.split(`-----BEGIN ${label}-----`).slice(1)) {
    const body = part.split(`-----END ${label}-----`)[0] as string; // split gives at least one
    try {
      out.push(Uint8Array.fromBase64(body.replace(/\s/g, "")));
    } catch {
      continue;
    }
  }
  return out;
}
