/**
 * Login by a program of the kubeconfig (`exec`, client.authentication.k8s.io): cloud providers' plugins print a token or a
 * certificate, which holds until its expiry or until the server refuses it.
 */
import { isAbsolute, resolve } from "node:path";
import { errorText } from "../../src/base/error.ts";

/** What a request proves itself with. */
export interface Credentials {
  readonly token: string | null;
  /** PEM. */
  readonly clientCertificate: { readonly cert: string; readonly key: string } | null;
}

/** Credentials that are made when they are needed. */
export interface Login {
  /** Those that are kept, or new ones. @throws LoginError */
  credentials(): Promise<Credentials>;
  /** The server has refused these (401): the next call makes others. */
  forget(refused: Credentials): void;
}

/** The program could not be run, or said nothing of use. The text says what to do; another try may ask the user again. */
export class LoginError extends Error {
  override readonly name = "LoginError";
}

/** `users[].user.exec`, read. */
export interface ExecConfig {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly apiVersion: string;
  readonly interactiveMode: "Never" | "IfAvailable" | "Always";
  /** How to get the program; "". */
  readonly installHint: string;
  /** `ExecCredential.spec.cluster`, where `provideClusterInfo` asks for it; else null. */
  readonly cluster: Readonly<Record<string, unknown>> | null;
  /** Of the kubeconfig: a command with a slash counts from there. */
  readonly folder: string;
}

const GROUP = "client.authentication.k8s.io";
export const EXEC_VERSIONS: readonly string[] = [`${GROUP}/v1`, `${GROUP}/v1beta1`];
/** Longest time of a program that asks nobody, milliseconds: those of cloud providers make a request or two. */
const QUIET_TIMEOUT_MS = 60_000;
/** Longest time where the user may have to open a browser. */
const INTERACTIVE_TIMEOUT_MS = 600_000;
/** Credentials are renewed so much before they end, milliseconds: a request is under way for a moment, clocks differ. */
const EARLY_MS = 10_000;
/** How long what it has printed is waited for once it has ended, milliseconds: it is in the pipe by then. */
const DRAIN_MS = 1_000;
/** Longest part of the program's words that is shown. */
const MAX_WORDS = 400;

interface Kept {
  readonly credentials: Credentials;
  /** Milliseconds since 1970; Infinity: as long as the process. */
  readonly untilMs: number;
}

/** One program for one user of a kubeconfig; callers at the same time share a run. */
export class ExecLogin implements Login {
  readonly #config: ExecConfig;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #isTerminal: boolean;
  readonly #now: () => number;
  #kept: Kept | null = null;
  #running: Promise<Credentials> | null = null;

  /**
   * @param env of the program, beside what the kubeconfig adds
   * @param isTerminal whether somebody could answer on standard input
   * @param now milliseconds since 1970
   */
  constructor(
    config: ExecConfig,
    env: Readonly<Record<string, string | undefined>>,
    isTerminal: boolean,
    now: () => number = Date.now,
  ) {
    this.#config = config;
    this.#env = env;
    this.#isTerminal = isTerminal;
    this.#now = now;
  }

  async credentials(): Promise<Credentials> {
    const kept = this.#kept;
    if (kept !== null && this.#now() < kept.untilMs - EARLY_MS) return kept.credentials;
    this.#running ??= this.#renew().finally(() => this.#running = null);
    return await this.#running;
  }

  forget(refused: Credentials): void {
    if (this.#kept?.credentials === refused) this.#kept = null;
  }

  async #renew(): Promise<Credentials> {
    const kept = readCredential(await this.#run(), this.#config);
    this.#kept = kept;
    return kept.credentials;
  }

  /** @returns standard output */
  async #run(): Promise<string> {
    const { command, args, env, apiVersion, interactiveMode, cluster, folder } = this.#config;
    if (interactiveMode === "Always" && !this.#isTerminal) {
      throw new LoginError(`${named(this.#config)} wants a terminal to ask you: run it in one`);
    }
    const interactive = interactiveMode !== "Never" && this.#isTerminal;
    const info = {
      apiVersion,
      kind: "ExecCredential",
      spec: { ...(cluster === null ? {} : { cluster }), interactive },
    };
    const program = command.includes("/") && !isAbsolute(command) ? resolve(folder, command) : command;
    const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
    const everything: Record<string, string | undefined> = {
      ...this.#env,
      ...own,
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    };
    const found = Bun.which(program, { PATH: everything["PATH"] ?? "" });
    if (found === null) throw new LoginError(`${named(this.#config)} is not there: ${this.#howToGet()}`);
    const timeout = interactive ? INTERACTIVE_TIMEOUT_MS : QUIET_TIMEOUT_MS;
    let child;
    try {
      child = Bun.spawn([found, ...args], {
        env: everything,
        stdin: interactive ? "inherit" : "ignore",
        stdout: "pipe",
        // What it has to say to the user ("open this page") comes while it runs.
        stderr: interactive ? "inherit" : "pipe",
        timeout,
      });
    } catch (error) {
      throw new LoginError(`${named(this.#config)} cannot be run (${errorText(error)}): ${this.#howToGet()}`);
    }
    const stdout = new Printed(child.stdout);
    const stderr = child.stderr === undefined ? null : new Printed(child.stderr);
    const code = await child.exited;
    // What the program has started may keep its pipes open for ever: a cache, or the rest of a script that was ended.
    await Promise.race([Promise.all([stdout.end, stderr?.end]), Bun.sleep(DRAIN_MS)]);
    stdout.stop();
    stderr?.stop();
    if (code !== 0) {
      const why = child.signalCode === null ? `ended with ${code}` : `did not end in ${timeout / 1000} s`;
      const because = words(stderr?.text ?? "");
      throw new LoginError(`${named(this.#config)} ${why}${because}: run it yourself, and log in as it says`);
    }
    return stdout.text;
  }

  #howToGet(): string {
    return this.#config.installHint.trim() || "install it, or put its folder onto the PATH";
  }
}

/** What comes out of a pipe, so far. */
class Printed {
  text = "";
  /** The pipe is closed, or nobody reads on. */
  readonly end: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(pipe: ReadableStream<Uint8Array>) {
    this.#reader = pipe.getReader();
    this.end = this.#read();
  }

  /** Reads no more. */
  stop(): void {
    this.#reader.cancel().catch(() => {}); // it may have ended
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for (let piece = await this.#reader.read(); !piece.done; piece = await this.#reader.read()) {
      this.text += decoder.decode(piece.value, { stream: true });
    }
  }
}

function named({ command, args }: ExecConfig): string {
  return `the login program of the kubeconfig, "${[command, ...args].join(" ")}",`;
}

function words(stderr: string): string {
  const text = stderr.trim().replaceAll(/\s+/g, " ");
  return text === "" ? "" : ` (${text.length > MAX_WORDS ? `${text.slice(0, MAX_WORDS)}…` : text})`;
}

/** Reads what the program has printed. @throws LoginError that names the field, never its value */
function readCredential(text: string, config: ExecConfig): Kept {
  const wrong = (what: string) => new LoginError(`${named(config)} printed ${what}`);
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw wrong("no JSON, want an ExecCredential");
  }
  const { kind, apiVersion, status } = plain(found);
  if (kind !== "ExecCredential") throw wrong(`the kind ${JSON.stringify(kind) ?? "none"}, want ExecCredential`);
  if (apiVersion !== config.apiVersion) {
    throw wrong(`the apiVersion ${JSON.stringify(apiVersion) ?? "none"}, the kubeconfig says ${config.apiVersion}`);
  }
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp: expiry } = plain(status);
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  if (isText(cert) !== isText(key)) throw wrong("one of clientCertificateData and clientKeyData, want both or neither");
  if (!isText(token) && !isText(cert)) {
    throw wrong("no credentials: status has neither token nor clientCertificateData");
  }
  const untilMs = expiry === undefined || expiry === null ? Infinity : Date.parse(String(expiry));
  if (Number.isNaN(untilMs)) throw wrong("an expirationTimestamp that is no time, want RFC 3339");
  const credentials: Credentials = {
    token: isText(token) ? String(token).trim() : null,
    clientCertificate: isText(cert) ? { cert: String(cert), key: String(key) } : null,
  };
  return { credentials, untilMs };
}

function plain(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {}; // its values stay unknown
}
