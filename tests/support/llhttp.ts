/** llhttp, the parser of node:http, as the runtime brings it: a foreign reading of HTTP/1 for tests. */
import process from "node:process";

interface ForeignParser {
  initialize(kind: number, resource: object): void;
  execute(bytes: Buffer): number | Error & { code: string };
  finish(): Error & { code: string } | undefined;
  [event: number]: (...args: Buffer[]) => unknown;
}

interface ForeignParserClass {
  new (): ForeignParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

// The binding is not in the type declarations: it is how node:http itself reaches its parser.
const { HTTPParser } = (process as unknown as {
  binding(name: string): { HTTPParser: ForeignParserClass };
}).binding("http_parser");

export interface ForeignReading {
  /** "" or the code of the refusal. */
  refused: string;
  /** Messages that are whole. */
  count: number;
  /** Bodies of all messages, one after the other. */
  body: string;
}

/** @param kind what the bytes are; answers are taken for those to GET */
export function readByLlhttp(bytes: Buffer, kind: "request" | "response" = "request"): ForeignReading {
  const parser = new HTTPParser();
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  const reading: ForeignReading = { refused: "", count: 0, body: "" };
  parser[HTTPParser.kOnHeadersComplete] = () => 0;
  parser[HTTPParser.kOnBody] = (data) => reading.body += data?.toString("latin1");
  parser[HTTPParser.kOnMessageComplete] = () => reading.count++;
  const result = parser.execute(bytes);
  if (typeof result !== "number") reading.refused = result.code;
  return reading;
}
