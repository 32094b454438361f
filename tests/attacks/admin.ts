/** The admin port, which everybody on the network may ask for metrics and readiness. */
import type { Attack } from "./_attack.ts";
import type { Rig } from "./_rig.ts";
import type { Wire } from "./_wire.ts";

const place = "admin";

async function open(rig: Rig, count: number): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let at = 0; at < count; at += 50) {
    const batch = Array.from({ length: Math.min(50, count - at) }, () => rig.open(place, "http1").catch(() => null));
    for (const wire of await Promise.all(batch)) if (wire !== null) wires.push(wire);
  }
  return wires;
}

/** The operator's own question, meanwhile. */
async function ask(rig: Rig): Promise<void> {
  const response = await fetch(`${rig.mesh.sidecar("web").adminUrl}/ready`, { signal: AbortSignal.timeout(5_000) });
  if (response.status !== 200) throw new Error(`/ready answered ${response.status}`);
  await response.text();
}

const silent: Attack = {
  name: "half-open: 5,000 connections that send nothing",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const wires = await open(rig, scale.of(5_000, 300));
    await ask(rig);
    await Bun.sleep(scale.of(2_000, 100));
    const left = wires.filter((wire) => !wire.isClosed).length;
    for (const wire of wires) wire.close();
    return `${left} were open`;
  },
};

const slowHeads: Attack = {
  name: "slow heads: 1,000 connections, a byte at a time",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const wires = await open(rig, scale.of(1_000, 100));
    const text = "GET /ready HTTP/1.1\r\nhost: web\r\nx-a: ";
    const until = performance.now() + scale.of(5_000, 300);
    for (let at = 0; performance.now() < until; at++) {
      for (const wire of wires) if (!wire.isClosed) await wire.send(text[at] ?? "b");
      await Bun.sleep(100);
    }
    await ask(rig);
    for (const wire of wires) wire.close();
  },
};

const longHeads: Attack = {
  name: "heads of 1 MB, bodies of 10 MB: 200 connections",
  place,
  boundMb: 80,
  refusals: [],
  async run(rig, scale) {
    const head = `GET /ready HTTP/1.1\r\nhost: web\r\nx-a: ${"b".repeat(1_000_000)}\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from("POST /ready HTTP/1.1\r\nhost: web\r\ncontent-length: 10000000\r\n\r\n"),
      Buffer.alloc(10_000_000, 0x61),
    ]);
    for (let at = 0; at < scale.of(200, 10); at++) {
      using wire = await rig.open(place, "http1");
      await wire.send(at % 2 === 0 ? head : body);
      await Promise.race([wire.closed, Bun.sleep(20)]);
    }
    await ask(rig);
  },
};

const scrapes: Attack = {
  name: "scrapes of /metrics without a pause: 32 clients",
  place,
  boundMb: 60,
  refusals: [],
  async run(rig, scale) {
    const until = performance.now() + scale.of(5_000, 300);
    let done = 0;
    const one = async () => {
      while (performance.now() < until) {
        const wire = await rig.open(place, "http1").catch(() => null);
        if (wire === null) continue;
        await wire.send("GET /metrics HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
        await Promise.race([wire.closed, Bun.sleep(1_000)]);
        if (wire.received > 0) done++;
        wire.close();
      }
    };
    await Promise.all(Array.from({ length: 32 }, one));
    return `${done} scrapes`;
  },
};

export const ADMIN: readonly Attack[] = [silent, slowHeads, longHeads, scrapes];
