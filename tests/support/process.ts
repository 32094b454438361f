/** Child processes that are ended with the scope that started them, by their process id, and leave their output behind. */
import { waitForPort } from "./ports.ts";

/** Time a process has to end by itself after SIGTERM before it is killed. */
const STOP_GRACE_MS = 5_000;
/** Time to say or open what is waited for where none is named: on a busy machine a process takes many seconds to start. */
const OUTPUT_MS = 45_000;
/** Output kept per process; the end is what tells why it failed. */
const MAX_OUTPUT_CHARS = 16 * 1024 * 1024;

export interface ProcessOptions {
  readonly argv: readonly string[];
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Pins the process to this core, or to several ("0-1", as taskset has them). */
  readonly core?: number | string | undefined;
  /** Runs it inside this network namespace. */
  readonly netns?: string | undefined;
  /** Runs it as this user, for servers that refuse root. */
  readonly user?: string | undefined;
  readonly stdin?: string | "pipe";
}

/** A running child. Whoever started it owns it: `await using`, or stop(). */
export interface Child extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  /** What it has written to stdout and stderr so far, the last of it. */
  output(): string;
  stdout(): string;
  stderr(): string;
  /** Null while it runs, otherwise why it no longer does. */
  gone(): string | null;
  /** Resolves when its output matches; rejects when it ends first or after the time. */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  write(text: string): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after a grace; resolves to the exit code (null: killed by a signal). */
  stop(graceMs?: number): Promise<number | null>;
}

/** Pid of every child that has not been stopped, for the check that nothing is left behind. */
export const runningChildren = new Map<number, string>();

export function startProcess(options: ProcessOptions): Child {
  const name = options.name ?? options.argv[0] ?? "?";
  const argv = [...prefix(options), ...options.argv];
  const child = Bun.spawn(argv, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "ignore" : "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  runningChildren.set(child.pid, name);
  const waiters = new Set<() => void>();
  const texts = { out: "", err: "", all: "" };
  const collect = async (stream: ReadableStream<Uint8Array>, isOut: boolean) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      const key = isOut ? "out" : "err";
      texts[key] = (texts[key] + text).slice(-MAX_OUTPUT_CHARS);
      texts.all = (texts.all + text).slice(-MAX_OUTPUT_CHARS);
      for (const wake of waiters) wake();
    }
  };
  const drained = Promise.all([collect(child.stdout, true), collect(child.stderr, false)]);
  const exited = child.exited.then(async (code) => {
    runningChildren.delete(child.pid);
    await Promise.race([drained, Bun.sleep(200)]); // a grandchild may hold the pipes open
    for (const wake of waiters) wake();
    return code;
  });
  const stdin = child.stdin;
  if (options.stdin !== undefined && options.stdin !== "pipe" && stdin !== undefined && typeof stdin !== "number") {
    stdin.write(options.stdin);
    void stdin.end();
  }
  const handle: Child = {
    name,
    pid: child.pid,
    exited,
    output: () => texts.all,
    stdout: () => texts.out,
    stderr: () => texts.err,
    gone() {
      if (child.exitCode === null && child.signalCode === null) return null;
      return `${name} ended with ${child.signalCode ?? child.exitCode}: ${texts.all.trim().slice(-600)}`;
    },
    async waitForOutput(pattern, timeoutMs = OUTPUT_MS) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const found = texts.all.match(pattern);
        if (found !== null) return found;
        const gone = handle.gone();
        if (gone !== null) throw new Error(gone);
        const left = deadline - Date.now();
        if (left <= 0) throw new Error(`${name} did not print ${pattern} in ${timeoutMs} ms: ${texts.all.slice(-600)}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, left);
        waiters.add(resolve);
        await promise;
        waiters.delete(resolve);
        clearTimeout(timer);
      }
    },
    write(text) {
      if (stdin === undefined || typeof stdin === "number") {
        throw new Error(`${name} was started without stdin: "pipe"`);
      }
      stdin.write(text);
      void stdin.flush();
    },
    signal: (signal) => child.kill(signal),
    async stop(graceMs = STOP_GRACE_MS) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
        await exited;
        clearTimeout(timer);
      }
      await exited;
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      await handle.stop();
    },
  };
  return handle;
}

/** Starts a process and waits until it accepts connections; on failure nothing keeps running. */
export async function startServer(
  options: ProcessOptions & {
    readonly host?: string;
    readonly port: number;
    readonly timeoutMs?: number;
    readonly pollMs?: number;
  },
): Promise<Child> {
  const child = startProcess(options);
  try {
    await waitForPort(options.host ?? "127.0.0.1", options.port, {
      gone: () => child.gone(),
      timeoutMs: options.timeoutMs ?? OUTPUT_MS,
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    });
    return child;
  } catch (cause) {
    await child.stop();
    throw cause;
  }
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and returns what it said; rejects only when it cannot be started or exceeds the time. */
export async function run(options: ProcessOptions & { readonly timeoutMs?: number }): Promise<Finished> {
  const child = startProcess(options);
  const timeoutMs = options.timeoutMs ?? 30_000;
  const timer = setTimeout(() => child.signal("SIGKILL"), timeoutMs);
  const code = await child.exited;
  clearTimeout(timer);
  if (child.gone()?.includes("SIGKILL") === true) throw new Error(`${child.name} took longer than ${timeoutMs} ms`);
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

/** Path of a program, looked up in the places where Debian puts servers too; null when it is not installed. */
export function findProgram(name: string): string | null {
  const extra = "/usr/sbin:/sbin:/usr/local/sbin:/usr/lib/postgresql/15/bin:/usr/local/go/bin";
  return Bun.which(name, { PATH: `${process.env["PATH"] ?? ""}:${extra}` });
}

function prefix(options: ProcessOptions): string[] {
  const parts: string[] = [];
  if (options.netns !== undefined) parts.push("ip", "netns", "exec", options.netns);
  if (options.user !== undefined) {
    parts.push("setpriv", `--reuid=${options.user}`, `--regid=${options.user}`, "--init-groups");
  }
  if (options.core !== undefined) parts.push("taskset", "-c", String(options.core));
  return parts;
}
