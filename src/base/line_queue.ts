/**
 * Lines on their way to a log, behind an output that may take none for now or fail: whoever logs never waits, and what waits
 * is bounded. Lines that do not fit or cannot be written are lost, counted, and told of once writing goes on.
 */

/** What a log says, when it can again, of the lines that it misses. */
export const LOST_LINES = "lines of a log were lost: nobody read it, or its disk was full";

/** Bytes that may wait; a pipe holds another 64 KiB. */
export const MAX_WAITING_BYTES = 256 * 1024;
/** Time to the first further try after an output took nothing, milliseconds; each try in vain doubles it … */
const FIRST_RETRY_MS = 2;
/** … up to this: nobody may read for days. */
const LAST_RETRY_MS = 500;
const LINE_FEED = 10;

/** Where lines go. Whole lines within `atomicBytes` are never cut nor mixed with those of other writers. */
export interface LineOutput {
  /** Most bytes that leave as one. */
  readonly atomicBytes: number;
  /** Writes without waiting. @returns bytes taken; 0 when it takes none for now, -1 when it cannot be written to */
  write(bytes: Uint8Array): number;
}

/** Bytes of whole lines, and who is told when they are gone. */
interface Waiting {
  readonly bytes: Uint8Array;
  at: number;
  /** Told how many of its lines were lost. */
  readonly done: ((lost: number) => void) | null;
}

export class LineQueue {
  readonly #output: LineOutput;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #retryMs = FIRST_RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The last bytes that were written are the beginning of a line whose rest is lost. */
  #isCut = false;
  #isPumping = false;
  #lost = 0;
  #untold = 0;
  /** Called when lines are written again, with how many were not. It may offer a line that says so. */
  onRecovered: (lost: number) => void = () => {};

  constructor(output: LineOutput) {
    this.#output = output;
  }

  /** Lines that were lost since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes lines that nobody waits for; they are lost when too many bytes wait already. @param text ends in a line feed */
  offer(text: string): void {
    if (this.#waitingBytes >= MAX_WAITING_BYTES) return this.#lose(countLines(text));
    this.#add(text, null);
  }

  /**
   * Takes lines of somebody who waits before offering more, and is not bounded beyond that.
   *
   * @param text ends in a line feed
   * @returns how many of its lines were lost; resolves when all are written or lost
   */
  write(text: string): Promise<number> {
    return new Promise((resolve) => this.#add(text, resolve));
  }

  #add(text: string, done: Waiting["done"]): void {
    const bytes = new TextEncoder().encode(text);
    this.#waiting.push({ bytes, at: 0, done });
    this.#waitingBytes += bytes.length;
    if (this.#timer === null) this.#pump();
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const taken = this.#writeOf(head);
      if (taken === 0) {
        this.#retryLater();
        break;
      }
      this.#retryMs = FIRST_RETRY_MS;
      if (taken < 0) this.#giveUp(head);
      else if (head.at === head.bytes.length) this.#finished(head);
    }
    this.#isPumping = false;
  }

  #writeOf(head: Waiting): number {
    if (this.#isCut && this.#output.write(NEW_LINE) > 0) this.#isCut = false;
    if (this.#isCut) return -1; // or 0, which is no reason to keep a line whose beginning would be mistaken
    const piece = head.bytes.subarray(head.at, pieceEnd(head.bytes, head.at, this.#output.atomicBytes));
    const taken = this.#output.write(piece);
    if (taken > 0) {
      head.at += taken;
      this.#waitingBytes -= taken;
    }
    return taken;
  }

  #giveUp(head: Waiting): void {
    const isBegun = head.at > 0 && head.bytes[head.at - 1] !== LINE_FEED;
    if (isBegun) this.#isCut = true;
    let lost = 0;
    for (let at = head.at; at < head.bytes.length; at++) if (head.bytes[at] === LINE_FEED) lost++;
    this.#waiting.shift();
    this.#waitingBytes -= head.bytes.length - head.at;
    this.#lose(lost);
    head.done?.(lost);
  }

  #finished(head: Waiting): void {
    this.#waiting.shift();
    head.done?.(0);
    const lost = this.#untold;
    if (this.#waiting.length > 0 || lost === 0) return;
    this.#untold = 0;
    this.onRecovered(lost);
  }

  #lose(lines: number): void {
    this.#lost += lines;
    this.#untold += lines;
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, this.#retryMs);
    (this.#timer as { unref?(): void }).unref?.(); // a log is no reason to live
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }
}

/** Where to cut: after the last whole line within `most` bytes, or within a line that is longer. */
function pieceEnd(bytes: Uint8Array, at: number, most: number): number {
  if (bytes.length - at <= most) return bytes.length;
  const lineEnd = bytes.lastIndexOf(LINE_FEED, at + most - 1);
  return lineEnd >= at ? lineEnd + 1 : at + most;
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

const NEW_LINE = Uint8Array.of(LINE_FEED);
