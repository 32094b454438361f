/**
 * Deadlines of gRPC calls, as `grpc-timeout` carries them: "100m" (gRPC over HTTP/2, "Timeout": at most 8 digits and a unit).
 * What a client would not wait for is ended in every sidecar on the way, and each hop is told what is left.
 */
import { HeaderBlock, IS_GRPC } from "../../wire/header_block.ts";

const NAME = "grpc-timeout";
const UNITS_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
/** What 8 digits can say. */
const MAX_DIGITS_VALUE = 99_999_999;

/**
 * The time that a gRPC client gives its call.
 *
 * @returns milliseconds, above 0 also for "0m"; 0 without a deadline, or with one that cannot be read (servers ignore it too)
 */
export function grpcTimeoutMs(request: HeaderBlock): number {
  if ((request.flags & IS_GRPC) === 0) return 0;
  const text = request.get(NAME);
  if (text === null || text.length < 2 || text.length > 9) return 0;
  const unit = UNITS_MS[text.charAt(text.length - 1)];
  const digits = text.slice(0, -1);
  if (unit === undefined || !/^\d+$/.test(digits)) return 0;
  return Math.max(unit * Number(digits), 0.001);
}

/** The same request with what is left of its time. @param leftMs milliseconds, more than 0 */
export function withGrpcTimeout(request: HeaderBlock, leftMs: number): HeaderBlock {
  const value = timeoutText(leftMs);
  const fields: string[] = [];
  for (let i = 0; i < request.fields.length; i += 2) {
    const name = request.fields[i] as string; // pairs
    if (name !== NAME) fields.push(name, request.fields[i + 1] as string); // pairs
  }
  fields.push(NAME, value);
  return new HeaderBlock(request, fields, request.contentLength, request.flags);
}

function timeoutText(leftMs: number): string {
  const micros = Math.max(1, Math.floor(leftMs * 1000));
  if (micros <= MAX_DIGITS_VALUE) return `${micros}u`;
  const millis = Math.floor(leftMs);
  return millis <= MAX_DIGITS_VALUE ? `${millis}m` : `${Math.min(MAX_DIGITS_VALUE, Math.floor(leftMs / 1000))}S`;
}
