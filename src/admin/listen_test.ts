import { expect, test } from "bun:test";
import { createAdmin } from "./admin.ts";
import { listenAdmin } from "./listen.ts";

const admin = createAdmin({
  renderMetrics: () => "up 1\n",
  isReady: () => ({ ready: true, reasons: [] }),
  configDump: () => ({}),
  subscribeTap: () => null,
  probe: () => Promise.resolve(null),
  drain: () => {},
  upgrade: () => Promise.reject(new Error("not asked")),
  shutdown: () => {},
  allow: [],
});

test("listenAdmin() serves on the port it took and knows the caller's address", async () => {
  const server = listenAdmin(admin, { host: "::", port: 0 });
  try {
    const config = await fetch(`http://127.0.0.1:${server.port}/config`);
    expect(config.status).toBe(200);
    expect(await (await fetch(`http://[::1]:${server.port}/metrics`)).text()).toBe("up 1\n");
  } finally {
    server.stop();
  }
});

test("listenAdmin() throws when the port is taken", async () => {
  const server = listenAdmin(admin, { host: "127.0.0.1", port: 0 });
  try {
    expect(() => listenAdmin(admin, { host: "127.0.0.1", port: server.port })).toThrow();
  } finally {
    server.stop();
  }
});
