/** Errors of calls, in Connect's terms (connectrpc.com/docs/protocol#error-codes). */

/** Why a call has failed. */
export interface RpcError {
  /** Connect's code, for instance "unavailable" or "permission_denied". */
  readonly code: string;
  readonly message: string;
}

/** One line for people. */
export function rpcErrorText(error: RpcError): string {
  return `${error.code}: ${error.message}`;
}

/** What a status means when the body does not say (connectrpc.com/docs/protocol#http-to-error-code). */
const BY_STATUS: Readonly<Record<number, string>> = {
  400: "internal",
  401: "unauthenticated",
  403: "permission_denied",
  404: "unimplemented",
  429: "unavailable",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};
/** Longest message that is kept: it ends up in logs. */
const MAX_MESSAGE_CHARS = 500;

/** The error of a response whose status is not 200. @param body JSON of Connect, or anything */
export function errorOfResponse(status: number, body: Uint8Array): RpcError {
  return errorOfJson(body) ?? { code: BY_STATUS[status] ?? "unknown", message: `HTTP status ${status}` };
}

/** Reads `{"code": …, "message": …}`; null when it is none. */
function errorOfJson(body: Uint8Array): RpcError | null {
  const value = parseObject(body);
  if (value === null || typeof value["code"] !== "string") return null;
  const message = typeof value["message"] === "string" ? value["message"] : "";
  return { code: value["code"].slice(0, 40), message: message.slice(0, MAX_MESSAGE_CHARS) };
}

/** Reads the last envelope of a stream, `{"error": …}`. @returns null when the stream ended in order */
export function errorOfEndStream(body: Uint8Array): RpcError | null {
  const value = parseObject(body);
  if (value === null) return { code: "internal", message: "the end of the stream is not JSON" };
  const error = value["error"];
  if (error === undefined || error === null) return null;
  return errorOfJson(new TextEncoder().encode(JSON.stringify(error))) ?? { code: "unknown", message: "" };
}

function parseObject(body: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : null; // checked
  } catch {
    return null;
  }
}
