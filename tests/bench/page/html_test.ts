import { expect, test } from "bun:test";
import { html } from "./html.ts";

test("html escapes what is put in, in text and in attributes", () => {
  const evil = `<script>alert("1")</script>&'`;
  expect(html`<p title="${evil}">${evil}</p>`.text).not.toMatch(/<script|"1"|&'/);
});

test("html takes markup as it is, joins lists, and leaves null out", () => {
  expect(html`<ul>${[html`<li>1</li>`, html`<li>${"<2>"}</li>`]}${null}</ul>`.text).toBe(
    "<ul><li>1</li><li>&#60;2&#62;</li></ul>",
  );
  expect(html`${0}${NaN}`.text).toBe("0NaN");
});
