/** Events: what somebody sees who runs `kubectl describe` on an object. */
import { ApiError } from "./api_error.ts";
import type { KubeClient } from "./client.ts";
import { TYPES } from "./resource_type.ts";

export interface EventAbout {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface EventText {
  readonly type: "Normal" | "Warning";
  /** One word, such as CaptureFailed. */
  readonly reason: string;
  readonly message: string;
  /** Part of the mesh that says it. */
  readonly component: string;
  /** Tells events of one reason about one object apart; left out where there is one. */
  readonly serial?: string;
}

/**
 * Writes an event. One with the same reason about the same object, as long as the cluster keeps it (an hour), stays the only
 * one: whoever says it again, after a restart or in another replica, changes nothing.
 *
 * @param nowMs wall clock
 * @throws ApiError
 */
export async function writeEvent(
  client: KubeClient,
  about: EventAbout,
  { type, reason, message, component, serial }: EventText,
  nowMs: number,
): Promise<void> {
  const time = new Date(nowMs).toISOString();
  const name = `${about.name.slice(0, 180)}.${about.uid.slice(0, 8)}.${reason.toLowerCase()}${
    serial === undefined ? "" : `.${serial}`
  }`;
  try {
    await client.create(TYPES.Event, about.namespace, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { namespace: about.namespace, name },
      involvedObject: about,
      type,
      reason,
      message,
      source: { component },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.isConflict)) throw error;
  }
}
