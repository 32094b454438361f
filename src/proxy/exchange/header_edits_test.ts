import { expect, test } from "bun:test";
import { headerBlock } from "../../wire/header_block.ts";
import { ClientMark, inboundRequest, requestTrailers } from "./header_edits.ts";

const START = { method: "GET", scheme: "http", authority: "web", path: "/", protocol: "", status: 0 };

// CGI, WSGI and PHP hand headers to applications as variables, in which these names are one.
test.each([
  "tulle-client-id",
  "tulle_client_id",
  "tulle.client.id",
  "tulle-client_id",
  "x-forwarded-client-cert",
  "x_forwarded_client_cert",
  "x-forwarded_client-cert",
])("inboundRequest() takes %s of a client away", (name) => {
  const request = headerBlock(START, ["x-a", "1", name, "spiffe://forged", "x-b", "2"]);
  expect(inboundRequest(request, new ClientMark(""), false).fields).toEqual(["x-a", "1", "x-b", "2"]);
  const known = inboundRequest(request, new ClientMark("spiffe://real"), false);
  expect(known.fields).toEqual(["x-a", "1", "x-b", "2", "tulle-client-id", "spiffe://real"]);
});

test.each(["tulle", "tullex-client-id", "x-tulle_client_id", "x-forwarded-client-certs", "client_id"])(
  "inboundRequest() passes %s",
  (name) =>
    expect(inboundRequest(headerBlock(START, [name, "1"]), new ClientMark(""), false).fields).toEqual([name, "1"]),
);

test("requestTrailers() keeps what may come late, and is null without any", () => {
  expect(requestTrailers(headerBlock(START, ["x-sum", "1", "host", "evil"]))?.fields).toEqual(["x-sum", "1"]);
  expect(requestTrailers(headerBlock(START, ["tulle_client_id", "1"]))).toBeNull();
});
