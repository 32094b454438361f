/** Fault of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import type { Fault } from "../model/fault.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";
import { readDurationMs, readResource } from "./decode_common.ts";

/** Fault. */
export function readFault(r: ProtoReader, path: string, check: Check): Fault {
  let policy = NO_RESOURCE;
  let share = 0;
  const identities: string[] = [];
  let untilMs = 0;
  let delayMs = 0;
  let httpStatus = 0;
  let grpcStatus = 0;
  let reset = false;
  let requestBytesPerSecond = 0;
  let responseBytesPerSecond = 0;
  while (r.next()) {
    if (r.field === 1) policy = nested(r, readResource);
    else if (r.field === 2) share = check.range(`${path}.share`, r.number(), 0, 10_000);
    else if (r.field === 3) identities.push(r.text());
    else if (r.field === 4) untilMs = r.number();
    else if (r.field === 5) delayMs = nested(r, (m) => readDurationMs(m, `${path}.delay`, check));
    else if (r.field === 6) httpStatus = check.range(`${path}.http_status`, r.number(), 200, 599);
    else if (r.field === 7) grpcStatus = check.range(`${path}.grpc_status`, r.number(), 1, 16);
    else if (r.field === 8) reset = r.number() !== 0;
    else if (r.field === 9) requestBytesPerSecond = r.number();
    else if (r.field === 10) responseBytesPerSecond = r.number();
    else r.skip();
  }
  return {
    policy,
    share,
    identities,
    untilMs,
    delayMs,
    httpStatus,
    grpcStatus,
    reset,
    requestBytesPerSecond,
    responseBytesPerSecond,
  };
}
