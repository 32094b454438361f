/** Clients of others, which read again what the client was sent: each must find the same two answers, or refuse. */
import { join } from "node:path";
import { type Child, startProcess } from "../../support/process.ts";
import { listenTcp, type TcpListener } from "../../support/tcp.ts";
import type { BackendPrograms } from "./backends.ts";

const HERE = join(import.meta.dirname, "backends");
/** Longest time for two requests. */
const ANSWER_MS = 20_000;

/** Bytes that a client was sent: until it sent its second request, and behind it. */
export interface Replay {
  readonly method: string;
  readonly first: Buffer;
  readonly second: Buffer;
  readonly isClosedAfterFirst: boolean;
}

/** What a client made of each answer: "status seen bytes", or "error". */
export type ClientReading = readonly string[];

export class Clients implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #children: readonly Child[];
  readonly #listener: TcpListener;
  readonly #replays = new Map<string, Replay>();
  #next = 0;

  constructor(programs: BackendPrograms) {
    this.#listener = listenTcp("127.0.0.1", 0, async (peer) => {
      let text = "";
      const head = async () => {
        while (!text.includes("\r\n\r\n")) {
          const chunk = await peer.read(60_000);
          if (chunk === null) return false;
          text += Buffer.from(chunk).toString("latin1");
        }
        text = text.slice(text.indexOf("\r\n\r\n") + 4);
        return true;
      };
      const first = await peer.read(60_000);
      if (first === null) return;
      text = Buffer.from(first).toString("latin1");
      const replay = this.#replays.get(text.match(/\/replay\/(\d+)/)?.[1] ?? "");
      if (replay === undefined || !(await head())) return peer.end();
      await peer.write(replay.first);
      if (replay.isClosedAfterFirst) return peer.end();
      if (!(await head())) return peer.end();
      await peer.write(replay.second);
      peer.end();
    });
    const port = String(this.#listener.port);
    const commands: readonly (readonly [string, string[] | null])[] = [
      ["node", programs.node === null ? null : [programs.node, join(HERE, "node_client.mjs"), port]],
      ["http.client", programs.python === null ? null : [programs.python, join(HERE, "python_client.py"), port]],
      ["go", programs.go === null ? null : [programs.go, "client", port]],
    ];
    const there = commands.flatMap(([name, argv]) => argv === null ? [] : [{ name, argv }]);
    this.names = there.map(({ name }) => name);
    this.#children = there.map(({ name, argv }) => startProcess({ argv, name, stdin: "pipe" }));
  }

  /** How each client reads the answers. */
  async read(replay: Replay): Promise<ReadonlyMap<string, ClientReading>> {
    const id = String(++this.#next);
    this.#replays.set(id, replay);
    const readings = await Promise.all(this.#children.map(async (child): Promise<[string, ClientReading]> => {
      child.write(`${id} ${replay.method}\n`);
      const line = new RegExp(`^${id}\\t(.*)$`, "m");
      const found = await child.waitForOutput(line, ANSWER_MS).catch(() => null); // it waits: no reading at all
      return [child.name, found === null ? [] : (found[1] ?? "").split("\t")];
    }));
    this.#replays.delete(id);
    return new Map(readings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
    this.#listener[Symbol.dispose]();
  }
}
