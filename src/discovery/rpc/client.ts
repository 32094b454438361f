/** Calls to the controller: which connection, with which certificate. */
import { MESH_SERVER_NAME } from "../../model/trust.ts";
import type { Result } from "../../base/result.ts";
import type { Call, CallSink } from "./call.ts";
import { type ConnectionOptions, ControllerConnection } from "./connection.ts";
import { rpcErrorText } from "./error.ts";

/** A client certificate with the roots to verify the controller against. */
export interface ClientCredentials {
  readonly keyPem: string;
  readonly certPem: string;
  readonly caPem: string;
  /** Differs when any of them does. */
  readonly generation: number;
}

/** Where the controller is and how both sides prove themselves. */
export interface ControllerOptions {
  readonly host: string;
  readonly port: number;
  /** Roots that the deployment mounted, PEM; asked for each connection, since they may be replaced. */
  readonly mountedRoots: () => string;
  /** The identity in force, null before the first. */
  readonly credentials: () => ClientCredentials | null;
  /** Says "" or why the peer is not the controller; see identity/verify. */
  readonly verify: ConnectionOptions["verify"];
}

/** Opens connections as they are needed. Streams share one; it is replaced when the certificate has been. */
export class ControllerClient {
  readonly #options: ControllerOptions;
  #shared: ControllerConnection | null = null;
  #sharedGeneration = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** "host:port", for people. */
  get address(): string {
    return `${this.#options.host}:${this.#options.port}`;
  }

  /**
   * One request, one response, on a connection of its own without client certificate.
   *
   * @returns the response, or a text for people
   */
  unary(path: string, request: Uint8Array, timeoutMs: number): Promise<Result<Uint8Array>> {
    return new Promise((resolve) => {
      const connection = new ControllerConnection(this.#connectionOptions(null));
      let response: Uint8Array = new Uint8Array(0);
      const timer = setTimeout(
        () => connection.close("deadline_exceeded", `no answer within ${timeoutMs} ms`),
        timeoutMs,
      );
      const call = connection.call(path, true, {
        onMessage: (message) => void (response = message),
        onEnd: (error) => {
          clearTimeout(timer);
          resolve(error === null ? { ok: true, value: response } : { ok: false, error: rpcErrorText(error) });
        },
      });
      call.send(request);
      call.finishSending();
    });
  }

  /**
   * Opens a stream with the client certificate.
   *
   * @returns the call, or null while there is no certificate
   */
  stream(path: string, sink: CallSink): Call | null {
    const credentials = this.#options.credentials();
    if (credentials === null) return null;
    if (this.#shared === null || !this.#shared.usable || this.#sharedGeneration !== credentials.generation) {
      // The old connection, if any, ends with its last stream.
      this.#shared = new ControllerConnection(this.#connectionOptions(credentials));
      this.#sharedGeneration = credentials.generation;
    }
    return this.#shared.call(path, false, sink);
  }

  /** Lets streams that are opened from now on use a new connection; streams on the old one end in order. */
  renew(): void {
    const old = this.#shared;
    this.#shared = null;
    old?.retire();
  }

  #connectionOptions(client: ClientCredentials | null): ConnectionOptions {
    const { host, port, verify } = this.#options;
    // Both: an identity restored from disk may know older roots than the deployment, a running one newer ones.
    const ca = this.#mountedRoots() + "\n" + (this.#options.credentials()?.caPem ?? "");
    return { host, port, verify, ca, client, serverName: MESH_SERVER_NAME };
  }

  /** A file that cannot be read now may be being replaced: the connection then fails by an unknown CA, and is tried again. */
  #mountedRoots(): string {
    try {
      return this.#options.mountedRoots();
    } catch {
      return "";
    }
  }
}
