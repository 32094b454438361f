/** The access log: one JSON object a line for each request or opaque connection that has ended. Off unless asked for. */

/** Bytes (UTF-16 units) that may wait for a slow reader; what comes on top is dropped and counted. */
export const MAX_BUFFERED_CHARS = 1 << 20;
/** Lines leave together: one system call carries many. */
export const FLUSH_CHARS = 16 * 1024;
/** … or after this time, milliseconds, so that a quiet service shows its requests too. */
const FLUSH_AFTER_MS = 200;
/** Time for the last lines, milliseconds: a log that nobody reads must not keep a process from its end. */
const FLUSH_AT_END_MS = 500;

/** One line. Facts only: no header and no body, and of the path no query, which may carry secrets. */
export interface AccessEntry {
  readonly direction: "inbound" | "outbound";
  /** "http/1.1", "http/2" or "tcp". */
  readonly protocol: string;
  /** "ip:port" of the client. */
  readonly source: string;
  /** "ip:port" of the endpoint; empty when none was chosen. */
  readonly destination: string;
  /** SPIFFE ID of the other side; empty in plaintext. */
  readonly peerId: string;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly route: string;
  /** 0 when there was no response. */
  readonly status: number;
  /** -1 when there was none. */
  readonly grpcStatus: number;
  /** Reason code when the proxy itself answered. */
  readonly error: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: number;
}

export interface AccessLogOptions {
  /** Writes lines; resolves when it may be called again, with how many of them were lost. */
  readonly write: (text: string) => Promise<number>;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Called with the number of lines that are dropped. */
  readonly onDrop: (lines: number) => void;
  /** Called when lines are written again, with the number of those that were dropped. */
  readonly onRecovered: (dropped: number) => void;
}

/** Collects lines and writes them in batches; never more than one write at a time, never without bound. */
export class AccessLog {
  readonly #options: AccessLogOptions;
  #buffer = "";
  #isWriting = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #written: Promise<void> = Promise.resolve();
  /** Lines that were dropped, and nobody was told. */
  #dropped = 0;

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** Adds a line. */
  log(entry: AccessEntry): void {
    if (this.#buffer.length >= MAX_BUFFERED_CHARS) {
      this.#drop(1);
      return;
    }
    this.#buffer += formatEntry(entry, this.#options.now());
    if (this.#buffer.length >= FLUSH_CHARS) this.#write();
    else if (this.#timer === null && !this.#isWriting) this.#timer = setTimeout(() => this.#write(), FLUSH_AFTER_MS);
  }

  /** Writes what waits; resolves when it is written or lost, or after a time. For the end of the process. */
  async flush(): Promise<void> {
    const end = Promise.withResolvers<void>();
    const timer = setTimeout(end.resolve, FLUSH_AT_END_MS);
    let isOver = false;
    void end.promise.then(() => isOver = true);
    while (!isOver && (this.#buffer !== "" || this.#isWriting)) {
      this.#write();
      await Promise.race([this.#written, end.promise]);
    }
    clearTimeout(timer);
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isWriting || this.#buffer === "") return;
    const text = this.#buffer;
    this.#buffer = "";
    this.#isWriting = true;
    this.#written = this.#finish(text);
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#options.onDrop(lines);
  }

  async #finish(text: string): Promise<void> {
    const lost = await this.#options.write(text);
    this.#isWriting = false;
    if (lost > 0) this.#drop(lost);
    else if (this.#dropped > 0) {
      this.#options.onRecovered(this.#dropped);
      this.#dropped = 0;
    }
    if (this.#buffer.length > 0 && this.#timer === null) {
      this.#timer = setTimeout(() => this.#write(), this.#buffer.length >= FLUSH_CHARS ? 0 : FLUSH_AFTER_MS);
    }
  }
}

/** One line with its line feed. @param now milliseconds since 1970 */
export function formatEntry(entry: AccessEntry, now: number): string {
  const query = entry.path.indexOf("?");
  return JSON.stringify({
    time: new Date(now).toISOString(),
    direction: entry.direction,
    protocol: entry.protocol,
    source: entry.source,
    destination: entry.destination,
    peer_id: entry.peerId,
    method: entry.method,
    authority: entry.authority,
    path: query < 0 ? entry.path : entry.path.slice(0, query),
    route: entry.route,
    status: entry.status,
    grpc_status: entry.grpcStatus < 0 ? undefined : entry.grpcStatus,
    error: entry.error === "" ? undefined : entry.error,
    request_bytes: entry.requestBytes,
    response_bytes: entry.responseBytes,
    duration_ms: Math.round(entry.durationMs * 1000) / 1000,
  }) + "\n";
}
