import { expect, test } from "bun:test";
import { Handshakes, MAX_HANDSHAKES } from "./handshakes.ts";

test("an address that floods leaves half of the handshakes to others", () => {
  const handshakes = new Handshakes();
  let begun = 0;
  while (handshakes.enter("192.0.2.66")) begun++;
  expect(begun).toBe(MAX_HANDSHAKES / 2);
  for (let n = 0; n < 50; n++) expect(handshakes.enter(`192.0.2.${n}`)).toBe(true);
});

test("handshakes that end make room, for whoever comes", () => {
  const handshakes = new Handshakes();
  while (handshakes.enter("a"));
  handshakes.leave("a");
  expect([handshakes.enter("a"), handshakes.enter("a")]).toEqual([true, false]);
  expect(handshakes.enter("b")).toBe(true);
});
