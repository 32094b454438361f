import { expect, test } from "bun:test";
import { Registry } from "../core/metrics.ts";
import { serveAdmin } from "./admin.ts";

test.each(["/metrics", "/config"])("The admin port answers %s, and 429 to those who ask too often", async (path) => {
  let made = 0;
  const registry = new Registry();
  registry.collect(() => void made++);
  const server = serveAdmin({
    host: "127.0.0.1",
    port: 0,
    registry,
    isReady: () => true,
    config: () => Promise.resolve({ made: ++made }),
  });
  try {
    const ask = async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      await response.text();
      return `${response.status} ${response.headers.get("retry-after")}`;
    };
    expect(await ask()).toBe("200 null");
    // On a machine so busy that it asks over several seconds, each second has its own share.
    const started = performance.now();
    const seen = new Set(await Promise.all(Array.from({ length: 600 }, ask)));
    const seconds = Math.ceil((performance.now() - started) / 1000) + 1;
    if (seconds * 128 < 600) expect([...seen].sort()).toEqual(["200 null", "429 1"]);
    expect(made).toBeLessThanOrEqual(16 * (seconds + 1));
  } finally {
    await server.stop(true);
  }
});
