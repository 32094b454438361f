/** The key that consistent hashing keeps a request, or a connection, with an endpoint by. */
import type { Backend } from "../../model/outbound.ts";
import type { HeaderBlock } from "../../wire/header_block.ts";
import { cookieOf } from "../route/cookie.ts";
import { queryValue } from "../route/query.ts";
import type { EndpointState } from "../upstream/endpoint_state.ts";
import { hashText } from "../upstream/hash_ring.ts";
import { NO_KEY } from "../upstream/hashed_pick.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

/** The client of this proxy: all that it sends comes from one place. */
export interface Self {
  readonly ip: string;
  /** SPIFFE ID; "" until it is known. */
  readonly identity: string;
}

/**
 * Hash of what the backend's policy names.
 *
 * @param request as the client sent it; null for bytes that are not HTTP
 * @returns 32 bits, unsigned; NO_KEY where nothing is kept together, or the request does not have what is named
 */
export function hashKey({ resilience }: Backend, request: HeaderBlock | null, self: Self): number {
  if (resilience === null || resilience.hash === null) return NO_KEY;
  const { by, name } = resilience.hash;
  const text = by === "source_ip"
    ? self.ip
    : by === "identity"
    ? self.identity
    : request === null
    ? null
    : by === "header"
    ? request.get(name)
    : by === "cookie"
    ? cookieOf(request, name)
    : queryValue(request.path, name);
  return text === null || text === "" ? NO_KEY : hashText(text);
}

/** Picks an endpoint, by its key where the backend's policy names one. @param tried not to be picked while there are others */
export function pickFor(
  request: HeaderBlock | null,
  backend: Backend,
  tried: readonly EndpointState[] | null,
  upstreams: Upstreams,
): EndpointState | null {
  return upstreams.pick(backend, tried, hashKey(backend, request, upstreams.self));
}
