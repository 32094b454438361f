/**
 * Links, addresses and routes over rtnetlink (linux/rtnetlink.h, if_link.h): what `ip link|address|route` do, without the
 * binary. Every call acts in the namespace in which the socket was opened.
 */
import { ipText } from "../base/ip.ts";
import { AF_INET, AF_INET6, blockBytes } from "./ip_bytes.ts";
import { readAttributes, readText, readU32 } from "./message_reader.ts";
import { MessageWriter } from "./message_writer.ts";
import {
  NETLINK_ROUTE,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
} from "./netlink_socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFF_UP = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** Usable at once: no duplicate address detection, which keeps an IPv6 address unusable for a second. */
const IFA_F_NODAD = 2;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

const CREATE = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
const CHANGE = NLM_F_REQUEST | NLM_F_ACK;

/** Longest name of a link: IFNAMSIZ without the zero. */
const MAX_LINK_NAME = 15;

/** A block of addresses in use, as "10.0.0.0/8", and the link that uses it. */
export interface UsedBlock {
  readonly block: string;
  readonly linkIndex: number;
}

export class RouteNetlink implements Disposable {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** Creates a bridge, down and without addresses. @throws SystemError */
  createBridge(name: string): void {
    this.#link(`create bridge ${name}`, CREATE, 0, 0, 0, (writer) => {
      writer.attrText(IFLA_IFNAME, checkedName(name));
      const info = writer.beginNested(IFLA_LINKINFO);
      writer.attrText(IFLA_INFO_KIND, "bridge");
      writer.endNested(info);
    });
  }

  /**
   * Creates a pair of virtual Ethernet links, both down.
   *
   * @param name the end in this namespace
   * @param peerName the other end
   * @param peerNamespace descriptor of the network namespace of the other end, or null for this one
   * @throws SystemError
   */
  createVeth(name: string, peerName: string, peerNamespace: number | null): void {
    this.#link(`create veth pair ${name}, ${peerName}`, CREATE, 0, 0, 0, (writer) => {
      writer.attrText(IFLA_IFNAME, checkedName(name));
      const info = writer.beginNested(IFLA_LINKINFO);
      writer.attrText(IFLA_INFO_KIND, "veth");
      const data = writer.beginNested(IFLA_INFO_DATA);
      const peer = writer.beginNested(VETH_INFO_PEER);
      writeLinkHeader(writer, 0, 0, 0);
      writer.attrText(IFLA_IFNAME, checkedName(peerName));
      if (peerNamespace !== null) writer.attrU32(IFLA_NET_NS_FD, peerNamespace);
      writer.endNested(peer);
      writer.endNested(data);
      writer.endNested(info);
    });
  }

  /** Makes a link a port of a bridge. @throws SystemError */
  setMaster(link: string, bridge: string): void {
    const master = this.linkIndex(bridge);
    this.#link(`add ${link} to bridge ${bridge}`, CHANGE, this.linkIndex(link), 0, 0, (writer) => {
      writer.attrU32(IFLA_MASTER, master);
    });
  }

  /** @throws SystemError */
  setUp(link: string): void {
    this.#link(`bring up ${link}`, CHANGE, this.linkIndex(link), IFF_UP, IFF_UP, null);
  }

  /** Deletes a link (of a veth pair: both ends). @throws SystemError */
  deleteLink(link: string): void {
    const index = this.linkIndex(link);
    const writer = new MessageWriter();
    const start = writer.beginMessage(RTM_DELLINK, CHANGE, this.#socket.sequence(1));
    writeLinkHeader(writer, index, 0, 0);
    writer.endMessage(start);
    this.#socket.request(`delete ${link}`, writer.bytes(), 1);
  }

  /** Hardware address of a link as "aa:bb:…". @throws SystemError when there is no such link */
  hardwareAddress(link: string): string {
    const found = this.#links().find((each) => each.name === link);
    if (found === undefined) throw new RangeError(`no link named ${link}`);
    return found.hardwareAddress;
  }

  /** Names of all links. @throws SystemError */
  linkNames(): string[] {
    return this.#links().map((link) => link.name);
  }

  /** Number of a link. @throws RangeError when there is none of that name */
  linkIndex(name: string): number {
    const index = this.findLink(name);
    if (index === null) throw new RangeError(`no_link: found no link ${JSON.stringify(name)} in this namespace`);
    return index;
  }

  /** Number of a link, null when there is none of that name. @throws SystemError */
  findLink(name: string): number | null {
    return this.#links().find((link) => link.name === name)?.index ?? null;
  }

  /**
   * Gives a link an address; its block becomes reachable over the link.
   *
   * @param cidr "10.77.0.1/24" or "fd00::1/64"
   * @throws SystemError, EEXIST when the link has it already
   */
  addAddress(link: string, cidr: string): void {
    const { family, bytes, prefixLength } = blockBytes(cidr);
    const index = this.linkIndex(link);
    const writer = new MessageWriter();
    const start = writer.beginMessage(RTM_NEWADDR, CREATE, this.#socket.sequence(1));
    writer.u8(family).u8(prefixLength).u8(family === AF_INET6 ? IFA_F_NODAD : 0).u8(RT_SCOPE_UNIVERSE).u32(index);
    writer.attrBytes(IFA_LOCAL, bytes).attrBytes(IFA_ADDRESS, bytes);
    writer.endMessage(start);
    this.#socket.request(`add address ${cidr} to ${link}`, writer.bytes(), 1);
  }

  /**
   * Adds a route.
   *
   * @param destination "0.0.0.0/0", "::/0" or any block
   * @param link goes out here
   * @param gateway next hop, or null when the destination itself is on the link
   * @throws SystemError
   */
  addRoute(destination: string, link: string, gateway: string | null): void {
    const { family, bytes, prefixLength } = blockBytes(destination);
    const index = this.linkIndex(link);
    const writer = new MessageWriter();
    const start = writer.beginMessage(RTM_NEWROUTE, CREATE, this.#socket.sequence(1));
    const scope = gateway === null && family === AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    writer.u8(family).u8(prefixLength).u8(0).u8(0).u8(RT_TABLE_MAIN).u8(RTPROT_BOOT).u8(scope).u8(RTN_UNICAST).u32(0);
    if (prefixLength > 0) writer.attrBytes(RTA_DST, bytes);
    if (gateway !== null) writer.attrBytes(RTA_GATEWAY, blockBytes(gateway).bytes);
    writer.attrU32(RTA_OIF, index);
    writer.endMessage(start);
    this.#socket.request(`add route ${destination} over ${link}`, writer.bytes(), 1);
  }

  /** Blocks that addresses and routes of this namespace use, IPv4 and IPv6, without default routes. @throws SystemError */
  usedBlocks(): UsedBlock[] {
    const out: UsedBlock[] = [];
    this.#dump("list routes", RTM_GETROUTE, 12, (bytes, start, end) => {
      const family = bytes[start];
      if (family !== AF_INET && family !== AF_INET6) return;
      const attributes = readAttributes(bytes, start + 12, end);
      const destination = attributes.get(RTA_DST);
      const oif = attributes.get(RTA_OIF);
      if (destination === undefined) return;
      out.push({
        block: `${ipText(destination)}/${bytes[start + 1]}`,
        linkIndex: oif === undefined ? 0 : readU32(oif),
      });
    });
    this.#dump("list addresses", RTM_GETADDR, 8, (bytes, start, end) => {
      const attributes = readAttributes(bytes, start + 8, end);
      const ip = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      if (ip === undefined) return;
      const linkIndex = new DataView(bytes.buffer, bytes.byteOffset).getUint32(start + 4, true);
      out.push({ block: `${ipText(ip)}/${bytes[start + 1]}`, linkIndex });
    });
    return out;
  }

  #links(): { index: number; name: string; hardwareAddress: string }[] {
    const out: { index: number; name: string; hardwareAddress: string }[] = [];
    this.#dump("list links", RTM_GETLINK, 16, (bytes, start, end) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const attributes = readAttributes(bytes, start + 16, end);
      const name = attributes.get(IFLA_IFNAME);
      const hardware = attributes.get(IFLA_ADDRESS) ?? new Uint8Array(0);
      if (name === undefined) return;
      const hardwareAddress = Array.from(hardware, (byte) => byte.toString(16).padStart(2, "0")).join(":");
      out.push({ index: view.getInt32(start + 4, true), name: readText(name), hardwareAddress });
    });
    return out;
  }

  #dump(
    action: string,
    type: number,
    headerBytes: number,
    each: (bytes: Uint8Array, start: number, end: number) => void,
  ): void {
    const writer = new MessageWriter();
    const start = writer.beginMessage(type, NLM_F_REQUEST | NLM_F_DUMP, this.#socket.sequence(1));
    writer.raw(new Uint8Array(headerBytes));
    writer.endMessage(start);
    this.#socket.dump(action, writer.bytes(), each);
  }

  #link(
    action: string,
    requestFlags: number,
    index: number,
    flags: number,
    change: number,
    attributes: ((writer: MessageWriter) => void) | null,
  ): void {
    const writer = new MessageWriter();
    const start = writer.beginMessage(RTM_NEWLINK, requestFlags, this.#socket.sequence(1));
    writeLinkHeader(writer, index, flags, change);
    attributes?.(writer);
    writer.endMessage(start);
    this.#socket.request(action, writer.bytes(), 1);
  }
}

/** struct ifinfomsg: family u8, pad u8, type u16, index i32, flags u32, change mask u32. */
function writeLinkHeader(writer: MessageWriter, index: number, flags: number, change: number): void {
  writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

function checkedName(name: string): string {
  if (/^[\w.-]+$/.test(name) && name.length <= MAX_LINK_NAME) return name;
  throw new RangeError(`bad_link_name: found ${JSON.stringify(name)}, want 1–${MAX_LINK_NAME} of a-z A-Z 0-9 _ . -`);
}
