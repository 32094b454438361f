/** What `deno task faults` is asked for. */
import { FULL, SHORT, type Size } from "./fault.ts";

const HELP = `deno task faults -- [options]

Each fault happens to real sidecars, a controller and applications under requests at an even rate; a row says how many
requests ran, how many failed and how many were sent again. Without options: the full sizes, half an hour.

  --only REGEX   only faults whose "family: name" matches; families: endpoints, stuck, clocks, limits, networks
  --requests N   requests of each row at least (a round is always finished)
  --short        the sizes of the tests
  --patient      requests wait longer for an endpoint that restarts: for machines that are busy
  --json FILE    also write the rows as JSON: {date, rows: [{family, fault, requests, failed, retried, note, ok}]}

  deno task faults -- --only 'drains|replaced' --requests 6000
  deno task bench -- --faults FILE               the page with the table

Exit status: 0 when every fault went as it should, else 1.`;

export interface Options {
  readonly json: string | null;
  readonly only: RegExp;
  readonly size: Size;
  /** What a process that runs part of it must be told of the sizes. */
  readonly sizeArgs: readonly string[];
}

/** Reads the command line; on `--help` or a mistake says what there is, and ends the process with 0 or 2. */
export function readOptions(args: readonly string[]): Options {
  let json: string | null = null;
  let only = /./;
  let size = FULL;
  const sizeArgs: string[] = [];
  const rest = args.filter((arg) => arg !== "--");
  const value = (option: string): string => rest.shift() ?? refuse(`${option} wants a value`);
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--help" || arg === "-h") {
      console.log(HELP);
      process.exit(0);
    } else if (arg === "--json") json = value(arg);
    else if (arg === "--only") only = new RegExp(value(arg));
    else if (arg === "--short") {
      size = SHORT;
      sizeArgs.push(arg);
    } else if (arg === "--patient") {
      size = { ...size, isPatient: true };
      sizeArgs.push(arg);
    } else if (arg === "--requests") {
      const requests = Number(value(arg));
      if (!Number.isInteger(requests) || requests < 1) refuse(`${arg} wants a number of requests such as 6000`);
      size = { ...size, requests };
      sizeArgs.push(arg, String(requests));
    } else refuse(`unknown option ${arg}`);
  }
  return { json, only, size, sizeArgs };
}

function refuse(problem: string): never {
  console.error(`${problem}\n\n${HELP}`);
  process.exit(2);
}
