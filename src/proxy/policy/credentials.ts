/** Whether a client meets an authentication: its verified identity, or the network it comes from. */
import type { Authentication, Network } from "../../model/inbound.ts";
import { blockContains, type IpAddress } from "../../model/ip.ts";

/** Who is at the other end of a connection. One object per connection. */
export interface PeerClient {
  /** Address in text form, as the socket reports it. */
  readonly ip: string;
  /** Verified SPIFFE ID; null (or "") when there is none. */
  readonly identity: string | null;
}

/** Compiled form of an Authentication. */
export interface Credential {
  /** @param ip null when the address could not be read: then no network holds */
  holds(identity: string, ip: IpAddress | null): boolean;
}

/** Compiles one authentication. */
export function compileCredential(authentication: Authentication): Credential {
  switch (authentication.kind) {
    case "mesh_tls":
      return new IdentityCredential(authentication.identities);
    case "networks":
      return new NetworkCredential(authentication.networks);
    default:
      return authentication satisfies never;
  }
}

class IdentityCredential implements Credential {
  readonly #exact = new Set<string>();
  /** Without their "*"; "" stands for any verified identity. */
  readonly #starts: string[] = [];

  constructor(identities: readonly string[]) {
    for (const identity of identities) {
      if (identity.endsWith("*")) this.#starts.push(identity.slice(0, -1));
      else this.#exact.add(identity);
    }
  }

  holds(identity: string, _ip: IpAddress | null): boolean {
    if (identity === "") return false; // nothing was verified: not even "*" holds
    if (this.#exact.has(identity)) return true;
    for (const start of this.#starts) if (identity.startsWith(start)) return true;
    return false;
  }
}

class NetworkCredential implements Credential {
  readonly #networks: readonly Network[];

  constructor(networks: readonly Network[]) {
    this.#networks = networks;
  }

  holds(_identity: string, ip: IpAddress | null): boolean {
    if (ip === null) return false;
    for (const network of this.#networks) {
      if (blockContains(network.block, ip) && !network.except.some((block) => blockContains(block, ip))) return true;
    }
    return false;
  }
}
