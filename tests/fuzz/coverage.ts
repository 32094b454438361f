/**
 * Coverage of the code under test, cheap enough for every input: the sources are rewritten while they are loaded, so that each
 * branch counts itself in one array. The runtime's own profiler takes milliseconds a reading; this takes microseconds.
 */
import { plugin } from "bun";
import { type AnyNode, parse } from "acorn";

/** Room for the branches of all that one target loads. */
const MAX_BRANCHES = 1 << 16;

/** Counts by branch; code that was rewritten finds it under this name. */
const counters = new Uint8Array(MAX_BRANCHES);
const NAME = "__branches";
let used = 1;

/** Has modules from here on counted whose path matches. Call before they are imported. */
export function countBranches(filter: RegExp): void {
  (globalThis as Record<string, unknown>)[NAME] = counters;
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });
  plugin({
    name: "count branches",
    setup(build) {
      build.onLoad({ filter }, async ({ path }) => {
        const code = transpiler.transformSync(await Bun.file(path).text());
        return { contents: instrument(code), loader: "js" };
      });
    },
  });
}

/** How often each branch was passed by the inputs so far, in classes as AFL has them: 1, 2, 3, 4–7, 8–15, … */
export class Coverage {
  readonly #seen = new Uint8Array(MAX_BRANCHES);
  /** Branches passed at least once. */
  branches = 0;
  /** Branch and class, as found by the last `take` that found something. */
  features: number[] = [];

  /** Forgets what was counted, before an input runs. */
  begin(): void {
    counters.fill(0, 0, used);
  }

  /** Whether the input has passed a branch for the first time, or in a new class; keeps that. */
  take(): boolean {
    let isNew = false;
    for (let i = 1; i < used; i++) {
      const count = counters[i] as number; // i < used ≤ length
      if (count === 0) continue;
      const bit = CLASSES[count] as number; // a byte
      const seen = this.#seen[i] as number; // as above
      if ((seen & bit) !== 0) continue;
      if (seen === 0) this.branches++;
      this.#seen[i] = seen | bit;
      isNew = true;
    }
    return isNew;
  }

  /** What the input that ran last has passed, for choosing few inputs that pass everything. */
  last(): number[] {
    const features: number[] = [];
    for (let i = 1; i < used; i++) {
      const count = counters[i] as number; // i < used ≤ length
      if (count > 0) features.push(i * 256 + (CLASSES[count] as number)); // a byte
    }
    return features;
  }
}

const CLASSES = Uint8Array.from({ length: 256 }, (_, n) => {
  const limits = [1, 2, 3, 4, 8, 16, 32, 128];
  for (let i = limits.length - 1; i >= 0; i--) if (n >= (limits[i] as number)) return 1 << i; // in range
  return 0;
});

/** The same program with a counter at the start of each branch. */
export function instrument(code: string): string {
  const edits: { at: number; text: string; order: number }[] = [];
  const add = (at: number, text: string, order: number) => edits.push({ at, text, order });
  const count = () => `${NAME}[${used < MAX_BRANCHES - 1 ? used++ : used}]++`;
  const statement = (node: AnyNode) => {
    if (node.type === "BlockStatement") add(node.start + 1, `${count()};`, 0);
    else {
      add(node.start, `{${count()};`, 0);
      add(node.end, "}", 1);
    }
  };
  const expression = (node: AnyNode) => {
    add(node.start, `(${count()},`, 0);
    add(node.end, ")", 1);
  };
  walk(parse(code, { ecmaVersion: "latest", sourceType: "module" }), (node) => {
    switch (node.type) {
      case "FunctionDeclaration":
      case "FunctionExpression":
        return statement(node.body);
      case "ArrowFunctionExpression":
        return node.body.type === "BlockStatement" ? statement(node.body) : undefined;
      case "IfStatement":
        if (node.alternate === null || node.alternate === undefined) add(node.end, ` else {${count()};}`, 1);
        else if (node.alternate.type !== "IfStatement") statement(node.alternate);
        return statement(node.consequent);
      case "ForStatement":
      case "ForOfStatement":
      case "ForInStatement":
      case "WhileStatement":
      case "DoWhileStatement":
        return statement(node.body);
      case "SwitchCase":
        return node.consequent[0] === undefined ? undefined : add(node.consequent[0].start, `${count()};`, -1);
      case "CatchClause":
        return statement(node.body);
      case "ConditionalExpression":
        expression(node.consequent);
        return expression(node.alternate);
      case "LogicalExpression":
        return expression(node.right);
    }
  });
  // At one place: what ends comes before what begins; of what ends, the inner comes first, of what begins the outer.
  edits.sort((a, b) => a.at - b.at);
  return applied(code, edits);
}

function applied(code: string, edits: readonly { at: number; text: string; order: number }[]): string {
  let out = "";
  let at = 0;
  for (let i = 0; i < edits.length;) {
    const place = edits[i]?.at ?? 0;
    let next = i;
    while (next < edits.length && edits[next]?.at === place) next++;
    const here = edits.slice(i, next);
    const ends = here.filter(({ order }) => order > 0).reverse();
    const begins = here.filter(({ order }) => order <= 0);
    out += code.slice(at, place) + [...ends, ...begins].map(({ text }) => text).join("");
    at = place;
    i = next;
  }
  return out + code.slice(at);
}

function walk(node: AnyNode, visit: (node: AnyNode) => void): void {
  visit(node);
  for (const value of Object.values(node) as unknown[]) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === "object" && child !== null && typeof (child as AnyNode).type === "string") {
        walk(child as AnyNode, visit);
      }
    }
  }
}
