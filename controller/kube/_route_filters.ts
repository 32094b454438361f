/** Decoder of the filters of routes and backends. */
import { CONNECTION_HEADERS } from "../../src/base/connection_headers.ts";
import type { Reader } from "./_reader.ts";
import type { HeaderEdit, RouteFilter } from "./resources.ts";

const MAX_FILTERS = 16;
const MAX_HEADERS = 64;

/** Filters the Gateway API defines; the first two are carried out, the others make their rule answer 500. */
const FILTER_TYPES = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
  "CORS",
  "ExternalAuth",
  "ExtensionRef",
] as const;

/** Reads `filters`; empty when absent. */
export function readFilters(parent: Reader): RouteFilter[] {
  const seen = new Set<string>();
  return parent.objects("filters", MAX_FILTERS, (item): RouteFilter => {
    if (!item.has("type")) item.bad("type", `one of ${FILTER_TYPES.join(", ")}`);
    const type = item.oneOf("type", FILTER_TYPES, "ExtensionRef");
    if (type !== "RequestHeaderModifier" && type !== "ResponseHeaderModifier") {
      const detail = `the filter ${type} is not carried out: requests of this rule are answered with 500`;
      item.warn([...item.path, "type"], detail);
      return { kind: "unsupported", type };
    }
    if (seen.has(type)) item.fail([...item.path, "type"], `found ${type} a second time, want it once`);
    seen.add(type);
    const request = type === "RequestHeaderModifier";
    const edit = readEdit(item.object(request ? "requestHeaderModifier" : "responseHeaderModifier"));
    item.done();
    return { kind: request ? "request_headers" : "response_headers", edit };
  });
}

function readEdit(modifier: Reader): HeaderEdit {
  const values = (key: string) =>
    modifier.objects(key, MAX_HEADERS, (item) => {
      const name = item.text("name", "the name of a header that does not steer the connection", isEditable);
      const value = item.raw("value") === "" ? "" : item.text("value", "text without line breaks", isHeaderValue);
      item.done();
      return { name, value };
    });
  const edit = {
    set: values("set"),
    add: values("add"),
    remove: modifier.texts(
      "remove",
      MAX_HEADERS,
      "the name of a header that does not steer the connection",
      isEditable,
    ),
  };
  modifier.done();
  return edit;
}

function isEditable(text: string): boolean {
  return text.length <= 256 && /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(text) &&
    !CONNECTION_HEADERS.has(text.toLowerCase());
}

function isHeaderValue(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return text.length <= 4096 && !/[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}
