/**
 * Regular expressions whose cost is linear in the input.
 *
 * The runtime's own expressions backtrack: `(a|a)*b` against a header of a few dozen bytes stops a process for hours, and
 * whoever sends the request chooses the input. Limits on the input do not help against that, and refusing to match long
 * input would let a request slip past the rule that was meant for it. So patterns become an automaton (Thompson), walked
 * one state set per byte with the sets kept (a lazy DFA), as RE2 does it, whose syntax this follows: no back references,
 * no look-around. The whole input must match. One character is one byte: "." takes one byte of a multi-byte character.
 *
 * Some patterns have more state sets than can be kept (`.*a.{500}`: 2^500), and to make one costs far more than a byte is
 * worth. Such a pattern is walked without sets from the moment it shows.
 */
import { type ByteSet, type Node, parsePattern } from "./_pattern_parse.ts";
import { lowerPrefix } from "./_pattern_prefix.ts";
import { bad, ok, type Result } from "./result.ts";
import { toWire } from "./wire_text.ts";

/** Instructions per pattern: bounds the work per byte at its worst, and what `((a{99}){99}){99}` may expand to. */
const MAX_INSTRUCTIONS = 1024;
/** State sets kept per pattern, which bounds memory (about 0.2 KB each); one that has more is walked without (`Bits`). */
const MAX_CACHED_STATES = 128;

const SET = 0;
const SPLIT = 1;
const JUMP = 2;
const START = 3;
const END = 4;
const MATCH = 5;

/**
 * Compiles a pattern.
 *
 * @param text RE2's syntax, Unicode text; "(?i)" at its start ignores the case of ASCII letters
 * @param path where the pattern stands, for the error
 */
export function compilePattern(text: string, path: string): Result<Pattern> {
  const tree = parsePattern(toWire(text), path);
  if (!tree.ok) return tree;
  const program = new Program();
  program.emit(tree.value);
  program.push(MATCH, 0, 0);
  if (program.full) {
    return bad(path, JSON.stringify(text), `a pattern of at most ${MAX_INSTRUCTIONS} steps once expanded`);
  }
  return ok(new Pattern(text, lowerPrefix(tree.value), program));
}

class Program {
  readonly op: number[] = [];
  /** Target of a jump, first target of a split, index of a set. */
  readonly x: number[] = [];
  readonly y: number[] = [];
  readonly sets: ByteSet[] = [];
  full = false;

  push(op: number, x: number, y: number): number {
    if (this.op.length >= MAX_INSTRUCTIONS) this.full = true;
    else {
      this.op.push(op);
      this.x.push(x);
      this.y.push(y);
    }
    return this.op.length - 1;
  }

  emit(node: Node): void {
    if (this.full) return;
    switch (node.kind) {
      case "set":
        this.push(SET, this.sets.push(node.set) - 1, 0);
        return;
      case "start":
        this.push(START, 0, 0);
        return;
      case "end":
        this.push(END, 0, 0);
        return;
      case "cat":
        for (const item of node.items) this.emit(item);
        return;
      case "alt":
        return this.#alternatives(node.items);
      case "repeat":
        for (let i = 0; i < node.min && !this.full; i++) {
          const before = this.op.length;
          this.emit(node.item);
          if (this.op.length === before) break; // `(((){1000}){1000}){1000}` takes as many turns, and no steps
        }
        if (node.max < 0) return this.#star(node.item);
        for (let i = node.min; i < node.max && !this.full; i++) this.#optional(node.item);
        return;
      default:
        node satisfies never;
    }
  }

  #alternatives(items: readonly Node[]): void {
    const jumps: number[] = [];
    for (let i = 0; i < items.length; i++) {
      const split = i < items.length - 1 ? this.push(SPLIT, 0, 0) : -1;
      if (split >= 0) this.x[split] = split + 1;
      this.emit(items[i] as Node); // in range
      if (split < 0) break;
      jumps.push(this.push(JUMP, 0, 0));
      this.y[split] = this.op.length;
    }
    for (const jump of jumps) this.x[jump] = this.op.length;
  }

  #star(item: Node): void {
    const split = this.push(SPLIT, 0, 0);
    this.x[split] = split + 1;
    this.emit(item);
    this.push(JUMP, split, 0);
    this.y[split] = this.op.length;
  }

  #optional(item: Node): void {
    const split = this.push(SPLIT, 0, 0);
    this.x[split] = split + 1;
    this.emit(item);
    this.y[split] = this.op.length;
  }
}

/** A state set: where the automaton may stand after some bytes. */
class State {
  /** Instructions that wait for a byte, for the end, or have matched. */
  readonly at: readonly number[];
  /** Whether the input may end here. */
  readonly accepts: boolean;
  /** By byte class: the next state, undefined when not computed yet. */
  readonly next: (State | undefined)[];

  constructor(at: readonly number[], accepts: boolean, classes: number) {
    this.at = at;
    this.accepts = accepts;
    this.next = new Array<State | undefined>(classes).fill(undefined);
  }
}

/**
 * The automaton without sets that are kept: a bit for each instruction, so that a byte moves 32 of them at a time
 * (Shift-And), and what follows without a byte is visited one by one, each once.
 */
class Bits {
  readonly #program: Program;
  readonly #words: number;
  /** By byte class and word: the instructions that take the class. */
  readonly #takes: Uint32Array;
  /** Instructions that wait for no byte. */
  readonly #free: Uint32Array;
  #at: Uint32Array;
  #next: Uint32Array;
  /** Turn in which an instruction was last visited, so that marks need no clearing. */
  readonly #mark: Uint32Array;
  #turn = 0;
  readonly #stack: Uint16Array;

  /** @param sample a byte of each class */
  constructor(program: Program, sample: readonly number[]) {
    const { op, x, sets } = program;
    const words = (op.length >> 5) + 1;
    this.#program = program;
    this.#words = words;
    this.#takes = new Uint32Array(sample.length * words);
    this.#free = new Uint32Array(words);
    for (let pc = 0; pc < op.length; pc++) {
      if (op[pc] !== SET) add(this.#free, 0, pc);
      else sample.forEach((byte, cls) => sets[x[pc] as number]?.[byte] === 1 && add(this.#takes, cls * words, pc)); // parallel arrays
    }
    this.#at = new Uint32Array(words);
    this.#next = new Uint32Array(words);
    this.#mark = new Uint32Array(op.length);
    this.#stack = new Uint16Array(2 * op.length + 2);
  }

  /** Whether input[from…], at least one byte, matches from a state set on. */
  test(input: string, from: number, state: State, classOf: Uint8Array): boolean {
    this.#at.fill(0);
    for (const pc of state.at) add(this.#at, 0, pc);
    for (let i = from; i < input.length; i++) {
      const code = input.charCodeAt(i);
      if (code > 0xff || !this.#step(classOf[code] as number, i === input.length - 1)) return false; // 256 entries
    }
    const last = this.#program.op.length - 1; // MATCH
    return ((this.#at[last >> 5] as number) & (1 << (last & 31))) !== 0; // a bit for each instruction
  }

  /** Takes a byte; false when nobody waited for it. */
  #step(cls: number, isLast: boolean): boolean {
    const at = this.#at;
    const next = this.#next;
    const takes = this.#takes;
    const first = cls * this.#words;
    let carry = 0;
    let any = 0;
    for (let word = 0; word < at.length; word++) {
      const taken = (at[word] as number) & (takes[first + word] as number); // as many words
      next[word] = (taken << 1) | carry;
      carry = taken >>> 31;
      any |= taken;
    }
    this.#at = next;
    this.#next = at;
    if (any === 0) return false;
    if (++this.#turn > 0xffff_ffff) {
      this.#mark.fill(0);
      this.#turn = 1;
    }
    const free = this.#free;
    for (let word = 0; word < next.length; word++) {
      let rest = (next[word] as number) & (free[word] as number); // as many words
      while (rest !== 0) {
        const bit = 31 - Math.clz32(rest);
        rest ^= 1 << bit;
        this.#follow(word * 32 + bit, isLast);
      }
    }
    return true;
  }

  /** Adds what is reached from an instruction without a byte. */
  #follow(from: number, atEnd: boolean): void {
    const { op, x, y } = this.#program;
    const mark = this.#mark;
    const stack = this.#stack;
    const turn = this.#turn;
    let depth = 0;
    stack[depth++] = from;
    while (depth > 0) {
      const pc = stack[--depth] as number; // not empty
      if (mark[pc] === turn) continue;
      mark[pc] = turn;
      const code = op[pc];
      if (code === SPLIT) {
        stack[depth++] = y[pc] as number; // parallel arrays
        stack[depth++] = x[pc] as number; // as above
      } else if (code === JUMP) stack[depth++] = x[pc] as number; // as above
      else if (code === END) {
        if (atEnd) stack[depth++] = pc + 1;
      } else if (code !== START) add(this.#at, 0, pc); // the first byte is behind us
    }
  }
}

function add(bits: Uint32Array, word: number, bit: number): void {
  bits[word + (bit >> 5)] = (bits[word + (bit >> 5)] as number) | (1 << (bit & 31)); // the caller's bounds
}

/** A compiled pattern. */
export class Pattern {
  /** As it was written. */
  readonly text: string;
  /** What every matching input begins with once it is in lower case; "" when there is no such text. */
  readonly prefix: string;
  readonly #program: Program;
  /** Byte → class: bytes that no set tells apart share one. */
  readonly #classOf: Uint8Array;
  /** A byte of each class. */
  readonly #sample: number[] = [];
  readonly #states = new Map<string, State>();
  /** Set once the state sets have become too many. */
  #bits: Bits | null = null;
  readonly #start: State;
  /** Turn in which an instruction was last visited, so that marks need no clearing. */
  readonly #mark: Uint32Array;
  #turn = 0;

  /** Use `compilePattern`. */
  constructor(text: string, prefix: string, program: Program) {
    this.text = text;
    this.prefix = prefix;
    this.#program = program;
    this.#mark = new Uint32Array(program.op.length);
    this.#classOf = this.#classes();
    this.#start = this.#state([0], true);
  }

  /**
   * Whether the whole input matches. Time is linear in its length; allocates only when it meets a new state set.
   *
   * @param input one character per byte; a character beyond U+00FF matches nothing
   */
  test(input: string): boolean {
    let state = this.#start;
    for (let i = 0; i < input.length; i++) {
      const code = input.charCodeAt(i);
      if (code > 0xff) return false;
      const cls = this.#classOf[code] as number; // 256 entries
      let next = state.next[cls];
      if (next === undefined) {
        if (this.#bits !== null) return this.#bits.test(input, i, state, this.#classOf);
        next = this.#step(state, this.#sample[cls] as number); // one sample per class
        state.next[cls] = next;
      }
      if (next.at.length === 0) return false;
      state = next;
    }
    return state.accepts;
  }

  #classes(): Uint8Array {
    const classOf = new Uint8Array(256);
    const bySignature = new Map<string, number>();
    for (let byte = 0; byte < 256; byte++) {
      let signature = "";
      for (const set of this.#program.sets) signature += set[byte];
      let cls = bySignature.get(signature);
      if (cls === undefined) {
        cls = bySignature.size;
        bySignature.set(signature, cls);
        this.#sample.push(byte);
      }
      classOf[byte] = cls;
    }
    return classOf;
  }

  #step(state: State, byte: number): State {
    const { op, x, sets } = this.#program;
    const seeds: number[] = [];
    for (const pc of state.at) {
      if (op[pc] === SET && (sets[x[pc] as number] as ByteSet)[byte] === 1) seeds.push(pc + 1); // sets index is valid
    }
    return this.#state(seeds, false);
  }

  #state(seeds: readonly number[], atStart: boolean): State {
    const at = this.#closure(seeds, atStart, false);
    const key = at.join(",");
    const known = this.#states.get(key);
    if (known !== undefined && !atStart) return known;
    const accepts = this.#closure(seeds, atStart, true).some((pc) => this.#program.op[pc] === MATCH);
    const state = new State(at, accepts, this.#sample.length);
    if (atStart) return state;
    this.#states.set(key, state);
    if (this.#states.size >= MAX_CACHED_STATES) this.#bits = new Bits(this.#program, this.#sample);
    return state;
  }

  /** All instructions that are reached without a byte. */
  #closure(seeds: readonly number[], atStart: boolean, atEnd: boolean): number[] {
    const { op, x, y } = this.#program;
    const turn = ++this.#turn;
    const stack = seeds.slice();
    const found: number[] = [];
    while (stack.length > 0) {
      const pc = stack.pop() as number; // not empty
      if (this.#mark[pc] === turn) continue;
      this.#mark[pc] = turn;
      const code = op[pc];
      if (code === SPLIT) stack.push(y[pc] as number, x[pc] as number); // parallel arrays
      else if (code === JUMP) stack.push(x[pc] as number); // parallel arrays
      else if (code === START) atStart && stack.push(pc + 1);
      else if (code === END && atEnd) stack.push(pc + 1);
      else found.push(pc);
    }
    return found.sort((a, b) => a - b);
  }
}
