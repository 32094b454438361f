/** Reads the Prometheus text format as far as the table needs it: names, labels, values. */

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Most samples of one scrape; a sidecar's series budget is far below. */
const MAX_SAMPLES = 50_000;

/**
 * Reads a scrape. Lines that are no samples (comments, mistakes) are passed over.
 *
 * @param wanted whether a name is of interest; others are not even split
 */
export function parsePrometheusText(text: string, wanted: (name: string) => boolean): Sample[] {
  const out: Sample[] = [];
  for (let at = 0; at < text.length && out.length < MAX_SAMPLES;) {
    let end = text.indexOf("\n", at);
    if (end < 0) end = text.length;
    const sample = text.charCodeAt(at) === 0x23 ? null : parseLine(text.slice(at, end), wanted);
    if (sample !== null) out.push(sample);
    at = end + 1;
  }
  return out;
}

function parseLine(line: string, wanted: (name: string) => boolean): Sample | null {
  const found = /^[a-zA-Z_:][\w:]*/.exec(line);
  if (found === null || !wanted(found[0])) return null;
  const name = found[0];
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === "{") {
    const label = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/y;
    label.lastIndex = at + 1;
    for (let match = label.exec(line); match !== null; match = label.exec(line)) {
      labels[match[1] as string] = unescape(match[2] as string); // both groups always match
      at = label.lastIndex;
    }
    at = line.indexOf("}", at);
    if (at < 0) return null;
    at++;
  }
  const value = parseValue(line.slice(at).trim().split(/\s+/)[0] ?? "");
  return value === null ? null : { name, labels, value };
}

function parseValue(text: string): number | null {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  const value = Number(text);
  return text === "" || Number.isNaN(value) ? null : value;
}

function unescape(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char) : text;
}
