/**
 * Where requests of this client went last (`sessionAffinity: ClientIP` of a Service): as with kube-proxy they stay there until
 * it is gone, or nothing was asked for as long as the Service says. Without it new endpoints would take clients over at once.
 */
import type { EndpointState } from "./endpoint_state.ts";

export class Affinity {
  #endpoint: EndpointState | null = null;
  #usedMs = 0;

  /** The endpoint to stay with; null: choose one. @param exclude those that have just failed */
  kept(timeoutMs: number, nowMs: number, exclude: readonly EndpointState[] | null): EndpointState | null {
    const endpoint = this.#endpoint;
    if (endpoint === null) return null;
    if (endpoint.hasLeft || nowMs - this.#usedMs >= timeoutMs) {
      this.#endpoint = null;
      return null;
    }
    if (!endpoint.admits(nowMs) || endpoint.isFull || (exclude !== null && exclude.includes(endpoint))) return null;
    this.#usedMs = nowMs;
    return endpoint;
  }

  /** Another one was chosen. Where the one before is only out for a while, it is gone back to. */
  chosen(endpoint: EndpointState, nowMs: number): void {
    if (this.#endpoint !== null) return;
    this.#endpoint = endpoint;
    this.#usedMs = nowMs;
  }
}
