/** Tulle: a TLS hop by the engine alone, and the real thing: controller and two sidecars with policy and metrics on. */
import type { Rig, Subject } from "../rig.ts";

export function tulleProgram(): string | null {
  return null;
}

export function tulleHop(_program: string, _rig: Rig): Promise<Subject | null> {
  return Promise.resolve(null);
}

export function tullePair(_program: string, _rig: Rig): Promise<Subject | null> {
  return Promise.resolve(null);
}
