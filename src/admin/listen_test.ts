import { expect, test } from "bun:test";
import { createAdmin } from "./admin.ts";
import { listenAdmin } from "./listen.ts";

const admin = createAdmin({
  renderMetrics: () => "up 1\n",
  isReady: () => ({ ready: true, reasons: [] }),
  configDump: () => ({}),
  flows: () => ({}),
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

test("listenAdmin() serves a probe although somebody holds all connections there may be, and says nothing on them", async () => {
  const server = listenAdmin(admin, { host: "127.0.0.1", port: 0 });
  const handlers = { data() {}, open() {}, error() {} };
  const silent: { terminate(): void }[] = [];
  try {
    for (let n = 0; n < 400; n++) {
      silent.push(await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: handlers }));
    }
    const response = await fetch(`http://127.0.0.1:${server.port}/ready`);
    expect([response.status, await response.text()]).toEqual([200, "ready\n"]);
  } finally {
    for (const socket of silent) socket.terminate();
    server.stop();
  }
});
