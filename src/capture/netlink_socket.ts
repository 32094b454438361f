/** A netlink socket: sends requests and reads their answers, synchronously (the kernel answers before `send` returns). */
import { closeSync } from "node:fs";
import { address, errno, nativeBytes, sys } from "./_libc.ts";
import { NLMSG_DONE, NLMSG_ERROR, readAck, readMessages } from "./message_reader.ts";
import { Errno, SystemError } from "./system_error.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** Flags of requests (linux/netlink.h). */
export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;

/** The kernel writes dumps in pieces of at most 32 KiB. */
const RECEIVE_BYTES = 64 * 1024;
/** A dump of a machine with many routes; more is a fault. */
const MAX_DUMP_MESSAGES = 100_000;
/** No answer within this time means that the request was not a request; it must not hang the caller. */
const RECEIVE_TIMEOUT_SECONDS = 5;

/** Bound to the network namespace in which it was opened, also when the thread moves to another. */
export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  readonly #received = nativeBytes(RECEIVE_BYTES);
  #sequence = 1;

  /** @param family NETLINK_ROUTE or NETLINK_NETFILTER */
  constructor(family: number) {
    this.#fd = sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    if (this.#fd < 0) throw new SystemError("open a netlink socket", errno());
    const timeout = nativeBytes(16);
    timeout[0] = RECEIVE_TIMEOUT_SECONDS;
    sys.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, address(timeout), 16);
    const one = nativeBytes(4);
    one[0] = 1;
    // Better error texts; old kernels do without.
    sys.setsockopt(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, address(one), 4);
    sys.setsockopt(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, address(one), 4);
  }

  /** Reserves numbers for the messages of one request. @returns the first */
  sequence(count: number): number {
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  /**
   * Sends one request or batch and waits for its acknowledgements.
   *
   * @param action what it does, for the error: "create bridge tulle0"
   * @param bytes one or more messages, all to be sent at once
   * @param acks how many of them ask for an acknowledgement
   * @throws SystemError with the first error that the kernel reports
   */
  request(action: string, bytes: Uint8Array<ArrayBuffer>, acks: number): void {
    this.#send(action, bytes);
    let first: SystemError | null = null;
    for (let seen = 0; seen < acks;) {
      const received = this.#receive(action, first);
      for (const message of readMessages(received)) {
        if (message.type !== NLMSG_ERROR) continue;
        seen++;
        const { errno: number, detail } = readAck(received, message);
        if (number === 0) continue;
        first ??= new SystemError(action, number, detail);
      }
    }
    if (first !== null) throw first;
  }

  /** Sends a dump request and hands each message of the answer to `each`. @throws SystemError */
  dump(
    action: string,
    bytes: Uint8Array<ArrayBuffer>,
    each: (bytes: Uint8Array, start: number, end: number) => void,
  ): void {
    this.#send(action, bytes);
    for (let count = 0; count < MAX_DUMP_MESSAGES;) {
      const received = this.#receive(action, null);
      for (const message of readMessages(received)) {
        if (message.type === NLMSG_DONE) return;
        if (message.type === NLMSG_ERROR) {
          const { errno: number, detail } = readAck(received, message);
          if (number !== 0) throw new SystemError(action, number, detail);
          return;
        }
        count++;
        each(received, message.start, message.end);
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #send(action: string, bytes: Uint8Array<ArrayBuffer>): void {
    const sent = sys.send(this.#fd, address(bytes), bytes.length, 0);
    if (Number(sent) !== bytes.length) throw new SystemError(action, errno());
  }

  /** @param failed error seen before: then what is there is read, and nothing is waited for (a batch may fail as a whole) */
  #receive(action: string, failed: SystemError | null): Uint8Array {
    const flags = failed === null ? 0 : MSG_DONTWAIT;
    const length = Number(sys.recv(this.#fd, address(this.#received), RECEIVE_BYTES, flags));
    if (length < 0) {
      const number = errno();
      throw failed ?? new SystemError(action, number, number === Errno.EAGAIN ? "the kernel gave no answer" : "");
    }
    return this.#received.subarray(0, length);
  }
}
