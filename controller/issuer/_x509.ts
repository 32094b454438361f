/** The only door to @peculiar/x509: its dependency injection needs reflect-metadata before it, and a provider after. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(crypto);

export { x509 };

/** All keys of the mesh. */
export const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
export const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;

export const OID_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";

/**
 * Certificates are valid from this long before they are made, milliseconds: clocks of machines may be off by minutes, and
 * by an hour where somebody set them by the wrong time zone. It makes no certificate live longer.
 */
export const BACKDATE_MS = 65 * 60 * 1000;

/** 128 random bits, positive and not empty, big-endian (RFC 5280 §4.1.2.2 allows 20 bytes). */
export function randomSerial(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}
