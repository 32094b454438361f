/** Watches all TCP of the fabric and judges it: TLS 1.3 between sidecars, no known plaintext, nothing beside the mesh port. */
import { PacketSocket } from "../../../../src/capture/packet_socket.ts";
import { MESH_PORT } from "../../../../src/capture/capture_plan.ts";
import { readSegment, type Segment } from "./segment.ts";
import { TcpHalf } from "./tcp_half.ts";
import { TlsHalf } from "./tls_half.ts";

/** The kernel's buffer holds the traffic of several of these. */
const READ_EVERY_MS = 10;
/** Connections followed at a time; older ones are judged and forgotten. */
const MAX_CONNECTIONS = 20_000;
/** Problems kept, of different kinds or connections. */
const MAX_PROBLEMS = 20;

/** What was seen. */
export interface WireReport {
  /** Connections to the mesh port whose both hellos were seen and which carried protected data. */
  readonly tlsConnections: number;
  readonly protectedBytes: number;
  /** Whatever was not TLS 1.3, as text. */
  readonly problems: readonly string[];
  /** Markers found in connections between meshed workloads. */
  readonly leaked: readonly string[];
  /** Markers found in connections of unmeshed workloads: proof that the watcher would see them. */
  readonly seenInClear: readonly string[];
  /** Connections that could not be judged because frames were lost to the watcher. */
  readonly unjudged: number;
}

interface Connection {
  readonly name: string;
  readonly clientKey: string;
  readonly client: TcpHalf;
  server: TcpHalf | null;
  readonly clientTls: TlsHalf | null;
  readonly serverTls: TlsHalf | null;
  readonly meshed: boolean;
  readonly clientSearch: MarkerSearch;
  readonly serverSearch: MarkerSearch;
}

export class WireWatch implements Disposable {
  readonly #socket: PacketSocket;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #isMeshed: (ip: string) => boolean;
  readonly #markers: readonly Buffer[];
  readonly #connections = new Map<string, Connection>();
  readonly #problems = new Set<string>();
  readonly #leaked = new Set<string>();
  readonly #inClear = new Set<string>();
  #tlsConnections = 0;
  #protectedBytes = 0;
  #unjudged = 0;

  /**
   * Starts to watch.
   *
   * @param link the bridge
   * @param markers texts that must never be readable between meshed workloads
   * @param isMeshed whether an address belongs to a workload with a sidecar
   * @throws SystemError without CAP_NET_RAW
   */
  constructor(link: string, markers: readonly string[], isMeshed: (ip: string) => boolean) {
    this.#socket = new PacketSocket(link);
    this.#markers = markers.map((text) => Buffer.from(text));
    this.#isMeshed = isMeshed;
    this.#timer = setInterval(() => this.#read(), READ_EVERY_MS);
  }

  report(): WireReport {
    this.#read();
    for (const connection of this.#connections.values()) this.#judge(connection);
    this.#connections.clear();
    return {
      tlsConnections: this.#tlsConnections,
      protectedBytes: this.#protectedBytes,
      problems: [...this.#problems],
      leaked: [...this.#leaked],
      seenInClear: [...this.#inClear],
      unjudged: this.#unjudged,
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#socket[Symbol.dispose]();
  }

  #read(): void {
    this.#socket.read((frame) => {
      const segment = readSegment(frame);
      if (segment !== null) this.#take(segment);
    });
  }

  #take(segment: Segment): void {
    const from = `${segment.source} ${segment.sourcePort}`;
    const to = `${segment.target} ${segment.targetPort}`;
    if (segment.syn && !segment.ack) {
      this.#open(`${from} ${to}`, from, segment);
      return;
    }
    const connection = this.#connections.get(`${from} ${to}`) ?? this.#connections.get(`${to} ${from}`);
    if (connection === undefined) return;
    if (from === connection.clientKey) {
      connection.client.push(segment.sequence, segment.payload);
      return;
    }
    if (segment.syn) {
      const { serverTls, serverSearch } = connection;
      connection.server ??= new TcpHalf(segment.sequence + 1, (bytes) => {
        serverTls?.push(bytes);
        serverSearch.push(bytes);
      });
    }
    connection.server?.push(segment.sequence, segment.payload);
  }

  #open(key: string, clientKey: string, segment: Segment): void {
    if (this.#connections.has(key)) return; // the same SYN again, or seen on two ports of the bridge
    if (this.#connections.size >= MAX_CONNECTIONS) {
      const [oldest, connection] = this.#connections.entries().next().value ?? [];
      if (oldest !== undefined && connection !== undefined) {
        this.#judge(connection);
        this.#connections.delete(oldest);
      }
    }
    const meshed = this.#isMeshed(segment.source) && this.#isMeshed(segment.target);
    const isTls = meshed && segment.targetPort === MESH_PORT;
    const clientTls = isTls ? new TlsHalf(true) : null;
    const clientSearch = new MarkerSearch(this.#markers);
    this.#connections.set(key, {
      name: `${segment.source} → ${segment.target}:${segment.targetPort}`,
      clientKey,
      client: new TcpHalf(segment.sequence + 1, (bytes) => {
        clientTls?.push(bytes);
        clientSearch.push(bytes);
        if (meshed && !isTls) {
          this.#problem(`${segment.source} → ${segment.target}:${segment.targetPort}: not to the mesh port`);
        }
      }),
      server: null,
      clientTls,
      serverTls: isTls ? new TlsHalf(false) : null,
      meshed,
      clientSearch,
      serverSearch: new MarkerSearch(this.#markers),
    });
  }

  #judge(connection: Connection): void {
    const { clientTls, serverTls, clientSearch, serverSearch, meshed, name } = connection;
    for (const marker of [...clientSearch.found, ...serverSearch.found]) {
      (meshed ? this.#leaked : this.#inClear).add(marker);
    }
    if (clientTls === null || serverTls === null) return;
    for (const half of [clientTls, serverTls]) if (half.problem !== null) this.#problem(`${name}: ${half.problem}`);
    if (connection.client.broken || connection.server?.broken) this.#unjudged++;
    if (!clientTls.helloSeen || !serverTls.helloSeen) return;
    const bytes = clientTls.protectedBytes + serverTls.protectedBytes;
    if (bytes > 0) this.#tlsConnections++;
    this.#protectedBytes += bytes;
  }

  #problem(text: string): void {
    if (this.#problems.size < MAX_PROBLEMS) this.#problems.add(text);
  }
}

/** Looks for texts in a stream of pieces, also across their bounds. */
class MarkerSearch {
  readonly found = new Set<string>();
  readonly #markers: readonly Buffer[];
  readonly #overlap: number;
  #tail: Buffer = Buffer.alloc(0);

  constructor(markers: readonly Buffer[]) {
    this.#markers = markers;
    this.#overlap = Math.max(0, ...markers.map((marker) => marker.length - 1));
  }

  push(bytes: Uint8Array): void {
    const text = Buffer.concat([this.#tail, bytes]);
    for (const marker of this.#markers) if (text.includes(marker)) this.found.add(marker.toString());
    this.#tail = Buffer.from(text.subarray(Math.max(0, text.length - this.#overlap)));
  }
}
