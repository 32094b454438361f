/**
 * Bytes of an IP address in network order.
 *
 * @param text dotted IPv4, or IPv6 without a zone
 * @returns 4 or 16 bytes; null for anything else
 */
export function ipBytes(text: string): Uint8Array | null {
  return text.includes(":") ? ipv6Bytes(text) : ipv4Bytes(text);
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string; // four parts
    const n = Number(part);
    if (!/^\d{1,3}$/.test(part) || n > 255) return null;
    bytes[i] = n;
  }
  return bytes;
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groups(halves[0] as string); // split gives at least one
  const tail = halves.length === 2 ? groups(halves[1] as string) : []; // two halves
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  all.forEach((group, i) => view.setUint16(2 * i, group));
  return bytes;
}

function groups(text: string): number[] | null {
  if (text === "") return [];
  const out: number[] = [];
  for (const part of text.split(":")) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16));
    else {
      const v4 = ipv4Bytes(part);
      if (v4 === null) return null;
      out.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number)); // 4 bytes
    }
  }
  return out;
}
