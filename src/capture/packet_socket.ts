/** Frames of a link as they are on the wire (packet(7)): what tcpdump would see, without the binary. */
import { closeSync } from "node:fs";
import { address, cString, errno, nativeBytes, sys } from "./_libc.ts";
import { Errno, SystemError } from "./system_error.ts";

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const ETH_P_ALL = 3;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_STATISTICS = 6;
const PACKET_MR_PROMISC = 1;

/** Virtual links carry segments that are not yet cut: up to 64 KiB and headers. */
const FRAME_BYTES = 128 * 1024;
/** Room for what arrives between two reads; the kernel grants less without privileges. */
const RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024;
/** Frames handed out by one `read`, so that a busy link does not hold the caller for ever. */
const MAX_FRAMES_PER_READ = 4096;

export class PacketSocket implements Disposable {
  readonly #fd: number;
  readonly #frame = nativeBytes(FRAME_BYTES);
  readonly #statistics = nativeBytes(8);
  readonly #statisticsLength = nativeBytes(4);
  #lost = 0;

  /**
   * Starts to receive all frames of a link of this thread's network namespace. On a bridge: those that pass between its ports.
   *
   * @throws SystemError: EPERM without CAP_NET_RAW, ENODEV when there is no such link
   */
  constructor(link: string) {
    const index = sys.if_nametoindex(cString(link));
    if (index === 0) throw new SystemError(`watch link ${link}`, Errno.ENODEV);
    const protocol = (ETH_P_ALL & 0xff) << 8; // network order
    this.#fd = sys.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, protocol);
    if (this.#fd < 0) throw new SystemError(`watch link ${link}`, errno());
    const size = nativeBytes(4);
    new DataView(size.buffer).setUint32(0, RECEIVE_BUFFER_BYTES, true);
    if (sys.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, address(size), 4) !== 0) {
      sys.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, address(size), 4);
    }
    const place = nativeBytes(20); // struct sockaddr_ll
    const view = new DataView(place.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL);
    view.setInt32(4, index, true);
    const membership = nativeBytes(16); // struct packet_mreq
    new DataView(membership.buffer).setInt32(0, index, true);
    membership[4] = PACKET_MR_PROMISC;
    if (
      sys.bind(this.#fd, address(place), place.length) !== 0 ||
      sys.setsockopt(this.#fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, address(membership), membership.length) !== 0
    ) {
      const reason = errno();
      closeSync(this.#fd);
      throw new SystemError(`watch link ${link}`, reason);
    }
  }

  /**
   * Hands out the frames that have arrived, without waiting.
   *
   * @param each gets a view that is valid during the call only
   * @throws SystemError when the link is gone
   */
  read(each: (frame: Uint8Array) => void): void {
    for (let count = 0; count < MAX_FRAMES_PER_READ; count++) {
      const length = Number(sys.recv(this.#fd, address(this.#frame), FRAME_BYTES, 0));
      if (length < 0) {
        const reason = errno();
        if (reason === Errno.EAGAIN || reason === Errno.EINTR) return;
        throw new SystemError("read frames", reason);
      }
      each(this.#frame.subarray(0, length));
    }
  }

  /** Frames that the kernel dropped because nobody read them in time. */
  lost(): number {
    new DataView(this.#statisticsLength.buffer).setUint32(0, 8, true);
    const [bytes, length] = [address(this.#statistics), address(this.#statisticsLength)];
    // The kernel resets its count at each question.
    if (sys.getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, bytes, length) === 0) {
      this.#lost += new DataView(this.#statistics.buffer).getUint32(4, true);
    }
    return this.#lost;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
