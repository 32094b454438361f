/** Connections of one kind of peer, seen from one side. */
import type { Droppable, IdleTracker } from "./idle.ts";
import { type Labels, labelText } from "./labels.ts";
import type { Family, Registry } from "./registry.ts";

export interface TcpFamilies {
  readonly opened: Family;
  readonly closed: Family;
  readonly open: Family;
  readonly readBytes: Family;
  readonly writtenBytes: Family;
}

export class TcpSeries implements Droppable {
  readonly #registry: Registry;
  readonly #idle: IdleTracker;
  readonly #families: TcpFamilies;
  readonly #text: string;
  #opened = -1;
  #open = -1;
  #read = -1;
  #written = -1;
  /** Reason of the end → labels and handle. */
  readonly #closed = new Map<string, { readonly text: string; readonly handle: number }>();

  constructor(registry: Registry, idle: IdleTracker, families: TcpFamilies, labels: Labels) {
    this.#registry = registry;
    this.#idle = idle;
    this.#families = families;
    this.#text = labelText(labels);
  }

  /** A connection was accepted or established. */
  onOpen(): void {
    if (this.#opened < 0) this.#start();
    this.#registry.add(this.#opened, 1);
    this.#registry.add(this.#open, 1);
  }

  /** It has ended. @param errno "" for an orderly end, otherwise a short code such as ECONNRESET */
  onClose(errno: string = ""): void {
    if (this.#opened < 0) this.#start();
    this.#registry.add(this.#open, -1);
    let closed = this.#closed.get(errno);
    if (closed === undefined) {
      const text = this.#with([["classification", errno === "" ? "success" : "failure"], ["errno", errno]]);
      closed = { text, handle: this.#registry.openText(this.#families.closed, text) };
      this.#closed.set(errno, closed);
    }
    this.#registry.add(closed.handle, 1);
  }

  /** Bytes came from the peer. */
  addRead(bytes: number): void {
    if (this.#opened < 0) this.#start();
    this.#registry.add(this.#read, bytes);
  }

  /** Bytes went to the peer. */
  addWrite(bytes: number): void {
    if (this.#opened < 0) this.#start();
    this.#registry.add(this.#written, bytes);
  }

  get isOpen(): boolean {
    return this.#opened >= 0;
  }

  activity(): number {
    const values = this.#registry.values;
    if ((values[this.#open] ?? 0) > 0) return NaN;
    return (values[this.#opened] ?? 0) + (values[this.#read] ?? 0) + (values[this.#written] ?? 0);
  }

  drop(): void {
    const { opened, closed, open, readBytes, writtenBytes } = this.#families;
    this.#registry.close(opened, this.#text, this.#opened);
    this.#registry.close(open, this.#text, this.#open);
    this.#registry.close(readBytes, this.#text, this.#read);
    this.#registry.close(writtenBytes, this.#text, this.#written);
    for (const { text, handle } of this.#closed.values()) this.#registry.close(closed, text, handle);
    this.#closed.clear();
    this.#opened = -1;
  }

  #start(): void {
    const { opened, open, readBytes, writtenBytes } = this.#families;
    this.#opened = this.#registry.openText(opened, this.#text);
    this.#open = this.#registry.openText(open, this.#text);
    this.#read = this.#registry.openText(readBytes, this.#text);
    this.#written = this.#registry.openText(writtenBytes, this.#text);
    this.#idle.track(this);
  }

  #with(labels: Labels): string {
    const extra = labelText(labels);
    return this.#text === "" ? extra : `${this.#text},${extra}`;
  }
}
