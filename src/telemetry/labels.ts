/** Labels of a metric. */

/** Pairs of name and value, in the order in which they are written. An empty value is the same as no label and is left out. */
export type Labels = readonly (readonly [name: string, value: string])[];

/** Longest label value, characters. Hosts and SPIFFE IDs are shorter; what is longer comes from someone who wants to fill memory. */
export const MAX_LABEL_CHARS = 256;

/** Text of the labels without braces: `a="b",c="d"`, escaped as the text format 0.0.4 wants. Equal labels give equal texts. */
export function labelText(labels: Labels): string {
  let text = "";
  for (const [name, value] of labels) {
    if (value === "") continue;
    text += `${text === "" ? "" : ","}${name}="${escapeLabel(value)}"`;
  }
  return text;
}

function escapeLabel(value: string): string {
  // Lone surrogates and controls would make the exposition invalid UTF-8 or unreadable.
  const cut = value.length > MAX_LABEL_CHARS ? value.slice(0, MAX_LABEL_CHARS) : value;
  if (!/[\\"\p{Cc}\p{Cs}]/u.test(cut)) return cut;
  return cut.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll(
    /[\p{Cc}\p{Cs}]/gu,
    "\ufffd",
  );
}
