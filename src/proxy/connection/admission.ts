/** Room for a further connection of a client that has nearly as many as it may: its own idle ones are closed for it. */
import type { IdleConnections } from "../../http/idle_connections.ts";
import type { Refusal } from "../../http/refusal.ts";

/**
 * Connections that are closed for a further one at most: one is enough unless the room has shrunk (others took some of it,
 * or the limit on descriptors was lowered), and the work for one that comes stays bounded.
 */
const MAX_CLOSED = 4;
const CLOSED = "it was idle for longest when there was little room for a further connection of the same client";

/** Told of each connection that is closed. */
export interface AdmissionObserver {
  onRefused(reason: Refusal, detail: string, client: string): void;
}

/**
 * Makes room for a further connection.
 *
 * @param idle connections of the same client
 * @param isTight whether there is little room, as things are
 * @param client its address or identity, for metrics and log
 */
export function makeRoom(
  idle: IdleConnections,
  isTight: () => boolean,
  observer: AdmissionObserver,
  client: string,
): void {
  for (let closed = 0; closed < MAX_CLOSED && isTight() && idle.closeOne(); closed++) {
    observer.onRefused("idle_closed", CLOSED, client);
  }
}
