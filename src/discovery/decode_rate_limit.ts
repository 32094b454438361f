/** RateLimit of tulle/discovery/v1/discovery.proto → model. Field numbers are the proto's. */
import type { Rate, RateLimit } from "../model/rate_limit.ts";
import { NO_RESOURCE } from "../model/resource.ts";
import { parseSpiffeId } from "../model/spiffe_id.ts";
import type { ProtoReader } from "../wire/protobuf/reader.ts";
import { type Check, nested } from "./check.ts";
import { fieldName, readResource } from "./decode_common.ts";

/** Fastest rate and largest burst: beyond them a number is a slip. */
const MAX_RATE = 1_000_000;

/** RateLimit. */
export function readRateLimit(r: ProtoReader, path: string, check: Check): RateLimit {
  let policy = NO_RESOURCE;
  let total: Rate | null = null;
  let identity: Rate | null = null;
  let header: RateLimit["header"] = null;
  const overrides: RateLimit["overrides"][number][] = [];
  while (r.next()) {
    if (r.field === 1) policy = nested(r, readResource);
    else if (r.field === 2) total = nested(r, (m) => readRate(m, `${path}.total`, check));
    else if (r.field === 3) identity = nested(r, (m) => readRate(m, `${path}.identity`, check));
    else if (r.field === 4) {
      overrides.push(nested(r, (m) => readOverride(m, `${path}.overrides[${overrides.length}]`, check)));
    } else if (r.field === 5) header = nested(r, (m) => readHeaderRate(m, `${path}.header`, check));
    else r.skip();
  }
  return { policy, total, identity, overrides, header };
}

function readRate(r: ProtoReader, path: string, check: Check): Rate {
  let requestsPerSecond = 0;
  let burst = 0;
  while (r.next()) {
    if (r.field === 1) requestsPerSecond = r.number();
    else if (r.field === 2) burst = r.number();
    else r.skip();
  }
  check.range(`${path}.requests_per_second`, requestsPerSecond, 1, MAX_RATE);
  check.range(`${path}.burst`, burst, 1, MAX_RATE);
  return { requestsPerSecond, burst };
}

function readOverride(r: ProtoReader, path: string, check: Check): RateLimit["overrides"][number] {
  let rate: Rate | null = null;
  const identities: string[] = [];
  while (r.next()) {
    if (r.field === 1) rate = nested(r, (m) => readRate(m, `${path}.rate`, check));
    else if (r.field === 2) {
      const identity = r.text();
      if (parseSpiffeId(identity) === null) {
        check.fail(`${path}.identities[${identities.length}]`, JSON.stringify(identity), "a SPIFFE ID");
      }
      identities.push(identity);
    } else r.skip();
  }
  return { rate: present(rate, path, check), identities };
}

function readHeaderRate(r: ProtoReader, path: string, check: Check): NonNullable<RateLimit["header"]> {
  let name = "";
  let rate: Rate | null = null;
  while (r.next()) {
    if (r.field === 1) name = fieldName(r.text(), `${path}.name`, check);
    else if (r.field === 2) rate = nested(r, (m) => readRate(m, `${path}.rate`, check));
    else r.skip();
  }
  return { name, rate: present(rate, path, check) };
}

function present(rate: Rate | null, path: string, check: Check): Rate {
  if (rate === null) check.fail(`${path}.rate`, "nothing", "a rate");
  return rate ?? { requestsPerSecond: 1, burst: 1 };
}
