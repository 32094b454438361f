/**
 * One atomic nf_tables transaction as bytes (linux/netfilter/nf_tables.h): tables, chains and rules that come into force
 * together or not at all.
 */
import { MessageWriter } from "./message_writer.ts";
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST } from "./netlink_socket.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFPROTO_INET = 1;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;

const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_USERDATA = 7;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NFT_RETURN = -5;
const NF_ACCEPT = 1;
/** Type of the comment in a rule's user data, as the nft tool writes it. */
const UDATA_COMMENT = 0;
/** Longest comment that nft prints. */
const MAX_COMMENT = 127;

/** Keys of `meta` that the rules use. */
export const Meta = { MARK: 3, IIFNAME: 6, OIFNAME: 7, SKUID: 10, NFPROTO: 15, L4PROTO: 16 } as const;
/** Hook numbers of the families ip, ip6 and inet. */
export const Hook = { PREROUTING: 0, OUTPUT: 3 } as const;
/** Before source NAT, after connection tracking: where destinations are rewritten. */
export const PRIORITY_DSTNAT = -100;
/** Bases of `payload`. */
export const Base = { NETWORK: 1, TRANSPORT: 2 } as const;

/** One step of a rule; a rule goes on while its conditions hold. */
export type Expression =
  | { readonly kind: "meta"; readonly key: number }
  | { readonly kind: "payload"; readonly base: number; readonly offset: number; readonly length: number }
  | { readonly kind: "mask"; readonly mask: Uint8Array }
  | { readonly kind: "equals"; readonly value: Uint8Array }
  | { readonly kind: "between"; readonly from: Uint8Array; readonly to: Uint8Array }
  | { readonly kind: "return" }
  | { readonly kind: "redirect"; readonly port: number };

export class NftBatch {
  readonly #writer = new MessageWriter();
  #sequence: number;
  #acks = 0;

  /** @param sequence number of the first message; the batch takes as many as it has messages */
  constructor(sequence: number) {
    this.#sequence = sequence;
    this.#bound(NFNL_MSG_BATCH_BEGIN);
  }

  /** Messages that ask for an acknowledgement. */
  get acks(): number {
    return this.#acks;
  }

  /** Ends the batch. @returns the bytes of the whole transaction, to be sent at once */
  finish(): Uint8Array<ArrayBuffer> {
    this.#bound(NFNL_MSG_BATCH_END);
    return this.#writer.bytes();
  }

  /** Creates the table unless it is there. */
  addTable(table: string): void {
    const start = this.#begin(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    this.#writer.attrText(NFTA_TABLE_NAME, table);
    this.#writer.endMessage(start);
  }

  /** Deletes the table with all that is in it. An absent one is an error: add it before, in the same batch. */
  deleteTable(table: string): void {
    const start = this.#begin(NFT_MSG_DELTABLE, 0);
    this.#writer.attrText(NFTA_TABLE_NAME, table);
    this.#writer.endMessage(start);
  }

  /** Adds a chain of type nat whose default verdict is accept. */
  addNatChain(table: string, chain: string, hook: number, priority: number): void {
    const writer = this.#writer;
    const start = this.#begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    writer.attrText(NFTA_CHAIN_TABLE, table).attrText(NFTA_CHAIN_NAME, chain);
    const nested = writer.beginNested(NFTA_CHAIN_HOOK);
    writer.attrU32be(NFTA_HOOK_HOOKNUM, hook).attrU32be(NFTA_HOOK_PRIORITY, priority);
    writer.endNested(nested);
    writer.attrU32be(NFTA_CHAIN_POLICY, NF_ACCEPT).attrText(NFTA_CHAIN_TYPE, "nat");
    writer.endMessage(start);
  }

  /** Adds a rule at the end of a chain. @param comment shown by `nft list ruleset` */
  addRule(table: string, chain: string, expressions: readonly Expression[], comment: string): void {
    const writer = this.#writer;
    const start = this.#begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    writer.attrText(NFTA_RULE_TABLE, table).attrText(NFTA_RULE_CHAIN, chain);
    const list = writer.beginNested(NFTA_RULE_EXPRESSIONS);
    for (const expression of expressions) writeExpression(writer, expression);
    writer.endNested(list);
    writer.attrBytes(NFTA_RULE_USERDATA, commentBytes(comment));
    writer.endMessage(start);
  }

  #begin(type: number, flags: number): number {
    this.#acks++;
    const kind = (NFNL_SUBSYS_NFTABLES << 8) | type;
    const start = this.#writer.beginMessage(kind, NLM_F_REQUEST | NLM_F_ACK | flags, this.#sequence++);
    this.#writer.u8(NFPROTO_INET).u8(0).u16be(0);
    return start;
  }

  /** struct nfgenmsg of the bounds names the subsystem instead of a family. */
  #bound(type: number): void {
    const start = this.#writer.beginMessage(type, NLM_F_REQUEST, this.#sequence++);
    this.#writer.u8(0).u8(0).u16be(NFNL_SUBSYS_NFTABLES);
    this.#writer.endMessage(start);
  }
}

/** A request for one table; the kernel answers with the table, or ENOENT. */
export function writeGetTable(sequence: number, table: string): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter();
  const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE;
  const start = writer.beginMessage(type, NLM_F_REQUEST | NLM_F_ACK, sequence);
  writer.u8(NFPROTO_INET).u8(0).u16be(0).attrText(NFTA_TABLE_NAME, table);
  writer.endMessage(start);
  return writer.bytes();
}

function writeExpression(writer: MessageWriter, expression: Expression): void {
  switch (expression.kind) {
    case "meta":
      return named(writer, "meta", (w) => w.attrU32be(1, NFT_REG_1).attrU32be(2, expression.key));
    case "payload":
      return named(writer, "payload", (w) => {
        w.attrU32be(1, NFT_REG_1).attrU32be(2, expression.base);
        w.attrU32be(3, expression.offset).attrU32be(4, expression.length);
      });
    case "mask":
      return named(writer, "bitwise", (w) => {
        w.attrU32be(1, NFT_REG_1).attrU32be(2, NFT_REG_1).attrU32be(3, expression.mask.length);
        data(w, 4, expression.mask);
        data(w, 5, new Uint8Array(expression.mask.length));
      });
    case "equals":
      return named(writer, "cmp", (w) => {
        w.attrU32be(1, NFT_REG_1).attrU32be(2, 0);
        data(w, 3, expression.value);
      });
    case "between":
      return named(writer, "range", (w) => {
        w.attrU32be(1, NFT_REG_1).attrU32be(2, 0);
        data(w, 3, expression.from);
        data(w, 4, expression.to);
      });
    case "return":
      return named(writer, "immediate", (w) => {
        w.attrU32be(1, NFT_REG_VERDICT);
        const value = w.beginNested(2);
        const verdict = w.beginNested(NFTA_DATA_VERDICT);
        w.attrU32be(NFTA_VERDICT_CODE, NFT_RETURN);
        w.endNested(verdict);
        w.endNested(value);
      });
    case "redirect":
      named(writer, "immediate", (w) => {
        w.attrU32be(1, NFT_REG_1);
        data(w, 2, portBytes(expression.port));
      });
      return named(writer, "redir", (w) => w.attrU32be(1, NFT_REG_1));
    default:
      expression satisfies never;
  }
}

/** A port as the kernel compares it: two bytes in network order. */
export function portBytes(port: number): Uint8Array {
  return new Uint8Array([port >>> 8, port & 0xff]);
}

function named(writer: MessageWriter, name: string, attributes: (writer: MessageWriter) => void): void {
  const element = writer.beginNested(NFTA_LIST_ELEM);
  writer.attrText(NFTA_EXPR_NAME, name);
  const nested = writer.beginNested(NFTA_EXPR_DATA);
  attributes(writer);
  writer.endNested(nested);
  writer.endNested(element);
}

function data(writer: MessageWriter, type: number, value: Uint8Array): void {
  const nested = writer.beginNested(type);
  writer.attrBytes(NFTA_DATA_VALUE, value);
  writer.endNested(nested);
}

function commentBytes(comment: string): Uint8Array {
  const text = new TextEncoder().encode(comment).subarray(0, MAX_COMMENT);
  const bytes = new Uint8Array(text.length + 3);
  bytes[0] = UDATA_COMMENT;
  bytes[1] = text.length + 1;
  bytes.set(text, 2);
  return bytes;
}
