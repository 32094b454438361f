/** Reading what /metrics says. */

/** Sum of a metric over the series that have all the labels. */
export function sumOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let total = 0;
  for (const line of text.split("\n")) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found?.[1] !== name) continue;
    if (Object.entries(labels).every(([key, value]) => found[2]?.includes(`${key}="${value}"`))) {
      total += Number(found[3]);
    }
  }
  return total;
}
