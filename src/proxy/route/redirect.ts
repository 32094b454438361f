/** Answers that send the client elsewhere (Gateway API HTTPRequestRedirectFilter). */
import type { Redirect } from "../../model/route_plan.ts";
import { type HeaderBlock, headerBlock, NO_START } from "../../wire/header_block.ts";
import { hostOf } from "./host.ts";
import { editPath } from "./path_edit.ts";

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/**
 * The answer to a request.
 *
 * @param called host and port that the request was sent to: "web.shop.svc.cluster.local", 80
 */
export function redirectResponse(redirect: Redirect, request: HeaderBlock, called: Called): HeaderBlock {
  const fields = ["location", locationOf(redirect, request, called), "content-length", "0"];
  return headerBlock({ ...NO_START, status: redirect.status }, fields);
}

/** What the client has connected to. */
export interface Called {
  readonly host: string;
  readonly port: number;
}

/** The port is left out where it is the scheme's own. */
function locationOf(redirect: Redirect, request: HeaderBlock, called: Called): string {
  // Captured connections are plaintext: what the client called was http.
  const scheme = redirect.scheme !== "" ? redirect.scheme : request.scheme !== "" ? request.scheme : "http";
  const own = scheme === "https" ? HTTPS_PORT : HTTP_PORT;
  const port = redirect.port > 0 ? redirect.port : redirect.scheme !== "" ? own : called.port;
  const asked = hostOf(request.authority);
  const host = redirect.hostname !== "" ? redirect.hostname : asked !== "" ? asked : called.host;
  const path = redirect.path === null ? request.path : editPath(request.path, redirect.path, redirect.matched);
  return `${scheme}://${host}${port === own ? "" : `:${port}`}${path.startsWith("/") ? path : "/"}`;
}
