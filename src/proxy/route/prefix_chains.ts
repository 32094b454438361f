/** Finds which of many texts another text begins with. */

/** One of the texts. */
export interface PrefixNode<V> {
  readonly prefix: string;
  readonly value: V;
  /** The longest of the other texts that this one begins with. */
  readonly shorter: PrefixNode<V> | null;
}

/**
 * Texts in order, each linked to the longest that it begins with. Whatever stands between a prefix of a text and the text
 * begins with that prefix, so all of them are on the chain of the last one that does not come after the text. To find it
 * takes log₂ n comparisons, whatever the texts are and whoever chooses the one that is asked for.
 */
export class PrefixChains<V> {
  /** In ascending order of code units. */
  readonly #nodes: PrefixNode<V>[] = [];

  constructor(values: ReadonlyMap<string, V>) {
    let last: PrefixNode<V> | null = null;
    for (const [prefix, value] of [...values].sort(([a], [b]) => a < b ? -1 : 1)) {
      const node: PrefixNode<V> = { prefix, value, shorter: longestOn(last, prefix) };
      this.#nodes.push(node);
      last = node;
    }
  }

  /** The longest of the texts that this one begins with, from which `shorter` leads to the others; null when it is none. */
  longest(text: string): PrefixNode<V> | null {
    const nodes = this.#nodes;
    let from = 0;
    let to = nodes.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((nodes[middle] as PrefixNode<V>).prefix <= text) from = middle + 1; // in range
      else to = middle;
    }
    return longestOn(nodes[from - 1] ?? null, text);
  }
}

function longestOn<V>(chain: PrefixNode<V> | null, text: string): PrefixNode<V> | null {
  let node = chain;
  while (node !== null && !text.startsWith(node.prefix)) node = node.shorter;
  return node;
}
