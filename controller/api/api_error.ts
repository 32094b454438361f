/** What the API server refused, with whose fault it is and whether to try again. */

/** `Status` of the API, as far as we read it. */
interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** "NotFound", "Conflict", "Expired", …; "" when the server gave none. */
  readonly reason: string;
  /** Wait asked for by the server, milliseconds; 0 when it named none. */
  readonly retryAfterMs: number;

  constructor(request: string, status: number, reason: string, message: string, retryAfterMs = 0) {
    super(`${request}: ${status === 0 ? "no answer" : `${status}${reason === "" ? "" : ` ${reason}`}`}: ${message}`);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }

  /** Somebody else wrote first (409 Conflict), or created it already (409 AlreadyExists). */
  get isConflict(): boolean {
    return this.status === 409;
  }

  /** The version to resume from is too old: list again. */
  get isExpired(): boolean {
    return this.status === 410 || this.reason === "Expired";
  }

  /** True when the same request may succeed later without a change by anyone. */
  get isRetryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Reads an answer that is no success. @param request "GET /api/v1/pods", for the message */
export async function apiError(request: string, response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const status = parseStatus(text);
  const seconds = status.details?.retryAfterSeconds ?? Number(response.headers.get("retry-after") ?? 0);
  const message = status.message ?? (text.slice(0, 200) || response.statusText);
  return new ApiError(
    request,
    response.status,
    status.reason ?? "",
    message,
    Number.isFinite(seconds) ? seconds * 1000 : 0,
  );
}

function parseStatus(text: string): Status {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
