/**
 * A bad network in user space, where the kernel has no netem: two TAP links in two namespaces, and between them a loop that
 * delays, reorders, drops and cuts off frames as it is told, one JSON object a line on stdin (see Weather).
 *
 *     bun _relay.ts NAMESPACE_A LINK_A NAMESPACE_B LINK_B     paths such as /proc/123/fd/7, names such as eth0
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { Namespace } from "../../src/capture/namespace.ts";
import { CLEAR, type Weather } from "./_weather.ts";

const { i32, u64, i64, ptr: pointer } = FFIType;
const { symbols: libc } = dlopen("libc.so.6", {
  open: { args: [pointer, i32], returns: i32 },
  ioctl: { args: [i32, u64, pointer], returns: i32 },
  read: { args: [i32, pointer, u64], returns: i64 },
  write: { args: [i32, pointer, u64], returns: i64 },
  poll: { args: [pointer, u64, i32], returns: i32 },
});

const O_RDWR_NONBLOCK = 2 | 0x800;
const TUNSETIFF = 0x400454ca;
const IFF_TAP_NO_PI = 0x0002 | 0x1000;
const POLLIN = 1;
/** Longest wait for a frame, so that commands are heard. */
const POLL_MS = 2;
const FRAME_BYTES = 65_536;

const bytes = (length: number) => new Uint8Array(new ArrayBuffer(length)); // does not move

/** Opens a TAP link in a namespace. */
function openTap(namespace: string, name: string): number {
  using net = Namespace.open("net", namespace);
  return net.run(() => {
    const path = bytes(16);
    path.set(Buffer.from("/dev/net/tun\0"));
    const fd = libc.open(ptr(path), O_RDWR_NONBLOCK);
    const request = bytes(40); // struct ifreq
    request.set(Buffer.from(`${name}\0`));
    new DataView(request.buffer).setInt16(16, IFF_TAP_NO_PI, true);
    if (fd < 0 || libc.ioctl(fd, TUNSETIFF, ptr(request)) !== 0) throw new Error(`no link ${name} in ${namespace}`);
    return fd;
  });
}

interface Held {
  readonly dueMs: number;
  readonly to: number;
  readonly frame: Uint8Array;
}

const [namespaceA = "", linkA = "", namespaceB = "", linkB = ""] = process.argv.slice(2);
const fds = [openTap(namespaceA, linkA), openTap(namespaceB, linkB)] as const;
const polled = bytes(16); // two struct pollfd
const view = new DataView(polled.buffer);
fds.forEach((fd, i) => {
  view.setInt32(8 * i, fd, true);
  view.setInt16(8 * i + 4, POLLIN, true);
});
const buffer = bytes(FRAME_BYTES);
let weather: Weather = CLEAR;
let held: Held[] = [];
const counts = { passed: 0, lost: 0, reordered: 0 };

function receive(from: number): void {
  const [a, b] = fds;
  for (;;) {
    const length = Number(libc.read(from, ptr(buffer), FRAME_BYTES));
    if (length <= 0) return;
    const { delayMs, jitterMs, loss, isCut, maxFrame } = weather;
    if (isCut || length > maxFrame || Math.random() < loss) {
      counts.lost++;
      continue;
    }
    const dueMs = performance.now() + delayMs + Math.random() * jitterMs;
    const frame = bytes(length);
    frame.set(buffer.subarray(0, length));
    const to = from === a ? b : a;
    if (held.some((other) => other.to === to && other.dueMs > dueMs)) counts.reordered++;
    held.push({ dueMs, to, frame });
  }
}

function send(): void {
  const now = performance.now();
  const due = held.filter((one) => one.dueMs <= now).sort((x, y) => x.dueMs - y.dueMs);
  if (due.length === 0) return;
  held = held.filter((one) => one.dueMs > now);
  for (const { to, frame } of due) libc.write(to, ptr(frame), frame.length);
  counts.passed += due.length;
}

function turn(): void {
  libc.poll(ptr(polled), 2, POLL_MS);
  for (const fd of fds) receive(fd);
  send();
  setImmediate(turn);
}

async function listen(): Promise<void> {
  let text = "";
  for await (const chunk of Bun.stdin.stream()) {
    const lines = (text + new TextDecoder().decode(chunk)).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "counts") console.log(`counts ${JSON.stringify(counts)}`);
      else weather = { ...CLEAR, ...JSON.parse(line) };
    }
  }
}

console.log("ready");
turn();
await listen();
