/** Addresses to listen on, as options. */
import { InvalidArgumentError } from "commander";
import { canonicalIp } from "../core/ip.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Reads "ip:port" or "[ip]:port". @throws InvalidArgumentError */
export function parseAddress(text: string): Endpoint {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  const known = host === "localhost" || canonicalIp(host) !== null;
  if (match === null || !known || port > 65535) {
    throw new InvalidArgumentError(`found "${text}", want ip:port or [ip]:port, such as 127.0.0.1:8086.`);
  }
  return { host, port };
}
