/** Connections by the thousand: those that say nothing, and those that leave no descriptor for anybody else. */
import type { Attack } from "./_attack.ts";
import type { Place, Rig } from "./_rig.ts";
import { Wire } from "./_wire.ts";

const HTTP1_PLACES = ["outbound", "inbound"] as const;

/** Opens as many as can be had, or `count`. @returns those that were accepted */
async function open(rig: Rig, place: Place, count: number): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let at = 0; at < count; at += 50) {
    const batch = Array.from({ length: Math.min(50, count - at) }, () => rig.open(place, "http1").catch(() => null));
    for (const wire of await Promise.all(batch)) if (wire !== null) wires.push(wire);
  }
  return wires;
}

const silent = (place: Place): Attack => ({
  name: "half-open: 5,000 connections that send nothing",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const wires = await open(rig, place, scale.of(5_000, 200));
    await Bun.sleep(scale.of(2_000, 200));
    const left = wires.filter((wire) => !wire.isClosed).length;
    for (const wire of wires) wire.close();
    return `${left} were open`;
  },
});

const greedy = (place: Place): Attack => ({
  name: "one client takes all connections it gets: 14,000",
  place,
  boundMb: 120,
  refusals: ["connection_share", "idle_closed"],
  isAbsorbedWhenSmall: true,
  async run(rig, scale) {
    const wires = await open(rig, place, scale.of(14_000, 300));
    for (const wire of wires) if (!wire.isClosed) await wire.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    await Bun.sleep(scale.of(2_000, 200));
    const left = wires.filter((wire) => !wire.isClosed).length;
    // Somebody else, who comes now, is served.
    using late = await Wire.open(rig.mesh.to("front", "http1:8080"));
    let answer = "";
    late.onData = (bytes) => answer += bytes.toString("latin1");
    await late.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    for (let turn = 0; turn < 100 && answer === ""; turn++) await Bun.sleep(50);
    for (const wire of wires) wire.close();
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`a newcomer got: ${answer.slice(0, 80)}`);
    return `${left} were open`;
  },
});

export const CONNECTIONS: readonly Attack[] = HTTP1_PLACES.flatMap((place) => [silent(place), greedy(place)]);
