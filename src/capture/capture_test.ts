import { expect, test } from "bun:test";
import { encodeInstall } from "./capture.ts";
import { DEFAULT_PLAN } from "./capture_plan.ts";
import { readMessages } from "./message_reader.ts";

/** Messages of a transaction as hexadecimal, one per line, without the 16 bytes of their headers. */
function payloads(bytes: Uint8Array): string[] {
  return readMessages(bytes).map((message) => Buffer.from(bytes.subarray(message.start, message.end)).toString("hex"));
}

const INBOUND_ONLY = { ...DEFAULT_PLAN, outboundPort: null };

// Golden bytes: the kernel took this transaction, and `nft list ruleset` printed the rules that tests/capture expects.
test("encodeInstall() writes tables and chains as nf_tables wants them", () => {
  const [begin, add, remove, again, output, prerouting] = payloads(encodeInstall(INBOUND_ONLY, 1).bytes);
  expect(begin).toBe("0000000a");
  const table = "01000000" + "0a000100" + "74756c6c6500" + "0000";
  expect([add, remove, again]).toEqual([table, table, table]);
  const chain = (name: string, hook: string) =>
    "01000000" + "0a000100" + "74756c6c6500" + "0000" + name + "14000480" + "08000100" + hook + "08000200" +
    "ffffff9c" + "08000500" + "00000001" + "08000700" + "6e617400";
  expect(output).toBe(chain("0b000300" + "6f757470757400" + "00", "00000003"));
  expect(prerouting).toBe(chain("0f000300" + "707265726f7574696e6700" + "00", "00000000"));
});

test("encodeInstall() writes a redirect rule as nf_tables wants it", () => {
  const { bytes, acks } = encodeInstall(INBOUND_ONLY, 1);
  const messages = payloads(bytes);
  expect(acks).toBe(messages.length - 2);
  expect(messages.at(-1)).toBe("0000000a");
  expect(messages.at(-2)).toBe(
    "01000000" + "0a000100" + "74756c6c6500" + "0000" + "0f000200" + "707265726f7574696e6700" + "00" + "9c000480" +
      // meta load l4proto => reg 1
      "24000180" + "09000100" + "6d65746100" + "000000" + "14000280" + "08000100" + "00000001" + "08000200" +
      "00000010" +
      // cmp eq reg 1 6
      "2c000180" + "08000100" + "636d7000" + "20000280" + "08000100" + "00000001" + "08000200" + "00000000" +
      "0c000380" + "05000100" + "06000000" +
      // immediate reg 1 4145
      "2c000180" + "0e000100" + "696d6d65646961746500" + "0000" + "18000280" + "08000100" + "00000001" +
      "0c000280" + "06000100" + "10310000" +
      // redir to reg 1
      "1c000180" + "0a000100" + "726564697200" + "0000" + "0c000280" + "08000100" + "00000001" +
      "26000700" + "0020" + Buffer.from("all other TCP goes to the proxy\0").toString("hex") + "0000",
  );
});

test("encodeInstall() numbers its messages from the given sequence on", () => {
  const numbers = readMessages(encodeInstall(DEFAULT_PLAN, 40).bytes).map((message) => message.sequence);
  expect(numbers).toEqual(numbers.map((_, i) => 40 + i));
});
