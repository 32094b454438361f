/** Sends a variant and, behind it on the same connection, a plain request; gives back all that came. */
import { connect, type Socket } from "node:net";
import { PROBE, withNumber } from "./corpus/variant.ts";

export interface Route {
  readonly host: string;
  readonly port: number;
  /** Address to connect from; the kernel's choice when absent. */
  readonly from?: string;
}

export interface Received {
  readonly bytes: Buffer;
  /** How many of the bytes came before the probe was sent; all of them when it was not. */
  readonly beforeProbe: number;
  /** The connection ended before we ended it. */
  readonly isClosed: boolean;
}

/** After a piece: how long nothing may come before the next piece is sent. */
const QUIET_MS = 60;
/** Longest time for an answer to the probe, far above what it takes, for busy machines: a late one would be another variant's. */
const ANSWER_MS = 20_000;

export async function send(route: Route, pieces: readonly string[], number: number): Promise<Received> {
  const socket = connect({
    host: route.host,
    port: route.port,
    ...(route.from === undefined ? {} : { localAddress: route.from }),
  });
  const state = { bytes: Buffer.alloc(0), isClosed: false, wake: () => {} };
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    state.bytes = Buffer.concat([state.bytes, chunk]);
    state.wake();
  });
  const close = () => {
    state.isClosed = true;
    state.wake();
  };
  socket.on("end", close);
  socket.on("close", close);
  socket.on("error", close);
  try {
    await new Promise<void>((resolve) => {
      socket.once("connect", resolve);
      socket.once("close", resolve);
    });
    for (const piece of pieces) {
      if (!state.isClosed) write(socket, withNumber(piece, number));
      await quiet(state);
    }
    const beforeProbe = state.bytes.length;
    if (!state.isClosed) {
      write(socket, withNumber(PROBE, number));
      const wanted = withNumber("GET /p@@@@", number);
      const until = Date.now() + ANSWER_MS;
      while (!state.isClosed && !state.bytes.includes(wanted) && Date.now() < until) {
        await news(state, until - Date.now());
      }
    }
    return { bytes: state.bytes, beforeProbe, isClosed: state.isClosed };
  } finally {
    socket.destroy();
  }
}

interface State {
  bytes: Buffer;
  isClosed: boolean;
  wake: () => void;
}

/** Waits until an answer has come and then nothing for a moment, or the connection is gone. */
async function quiet(state: State): Promise<void> {
  for (let had = -1; !state.isClosed && had !== state.bytes.length;) {
    had = state.bytes.length;
    await news(state, QUIET_MS);
  }
}

function news(state: State, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    state.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function write(socket: Socket, text: string): void {
  socket.write(Buffer.from(text, "latin1"));
}
