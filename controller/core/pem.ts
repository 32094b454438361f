/** Certificates in text (RFC 7468). */

/** The certificates of a PEM text, each with its armour, in their order; none: empty. Other blocks and text are passed over. */
export function certificatesOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
