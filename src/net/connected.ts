/** What owners of sockets share whose connection stands: the events of its beginning are over. */
import type { RawSocket } from "./socket.ts";

export abstract class Connected {
  onOpen(_socket: RawSocket): void {}

  onHandshake(_socket: RawSocket, _ok: boolean, _error: Error | null): void {}

  onConnectFailed(_error: Error): void {}
}
