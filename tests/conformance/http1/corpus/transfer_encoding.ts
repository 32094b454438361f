/** Transfer-Encoding in every disguise, each three ways: beside a length that ends later, one that ends earlier, and alone. */
import { CANARY, chunked, expectation, length, request, type RequestVariant, TARGET } from "./variant.ts";

const RULE =
  "RFC 9112 §6.1, §6.3: Transfer-Encoding is exactly a list that ends in one chunked, never beside Content-Length";

/** Name, the field lines, and what is expected of the three forms when they may pass: "~" normalised, "=" forwarded. */
type Disguise = readonly [name: string, lines: string, alone?: string | undefined, besideLength?: string];

const CHUNKED = "~one final chunked; it is written anew";
const AS_IT_IS = "=one final chunked, as it should be";
/** The body is chunked for nobody: the line means nothing, and the length counts. */
const OTHER_FIELD = "=another field: it frames nothing, and Content-Length alone counts";

const DISGUISES: readonly Disguise[] = [
  ["as it should be", "Transfer-Encoding: chunked", AS_IT_IS],
  ["capitals", "TRANSFER-ENCODING: CHUNKED", AS_IT_IS],
  ["mixed case", "tRANSFER-eNCODING: cHuNkEd", AS_IT_IS],
  ["no space after the colon", "Transfer-Encoding:chunked", CHUNKED],
  ["two spaces after the colon", "Transfer-Encoding:  chunked", CHUNKED],
  ["tab after the colon", "Transfer-Encoding:\tchunked", CHUNKED],
  ["space at the end", "Transfer-Encoding: chunked ", CHUNKED],
  ["tab at the end", "Transfer-Encoding: chunked\t", CHUNKED],
  ["space before the colon", "Transfer-Encoding : chunked"],
  ["tab before the colon", "Transfer-Encoding\t: chunked"],
  ["space before the name", " Transfer-Encoding: chunked"],
  ["tab before the name", "\tTransfer-Encoding: chunked"],
  ["vertical tab before the value", "Transfer-Encoding: \x0bchunked"],
  ["vertical tab for the space", "Transfer-Encoding:\x0bchunked"],
  ["vertical tab at the end", "Transfer-Encoding: chunked\x0b"],
  ["vertical tab before the colon", "Transfer-Encoding\x0b: chunked"],
  ["form feed before the value", "Transfer-Encoding: \x0cchunked"],
  ["form feed at the end", "Transfer-Encoding: chunked\x0c"],
  ["NUL before the value", "Transfer-Encoding: \0chunked"],
  ["NUL inside the value", "Transfer-Encoding: chun\0ked"],
  ["NUL at the end", "Transfer-Encoding: chunked\0"],
  ["NUL in the name", "Transfer-Encoding\0: chunked"],
  ["NUL before the name", "\0Transfer-Encoding: chunked"],
  ["DEL at the end", "Transfer-Encoding: chunked\x7f"],
  ["backspace inside", "Transfer-Encoding: chunkeX\bd"],
  ["escape before the value", "Transfer-Encoding: \x1bchunked"],
  ["no-break space before the value", "Transfer-Encoding: \xa0chunked"],
  ["no-break space at the end", "Transfer-Encoding: chunked\xa0"],
  ["NEL at the end", "Transfer-Encoding: chunked\x85"],
  ["byte 255 at the end", "Transfer-Encoding: chunked\xff"],
  ["Kelvin sign for the k", "Transfer-Encoding: chun\xe2\x84\xaaed"],
  ["dotless i in the name", "Transfer-Encod\xc4\xb1ng: chunked"],
  ["full-width letters", "Transfer-Encoding: \xef\xbd\x83hunked"],
  ["fold before the value", "Transfer-Encoding:\r\n chunked"],
  ["fold with a tab", "Transfer-Encoding:\r\n\tchunked"],
  ["fold after the value", "Transfer-Encoding: chunked\r\n , identity"],
  ["fold after another field", "X-A: b\r\n Transfer-Encoding: chunked"],
  ["bare LF before the line", "X-A: b\nTransfer-Encoding: chunked"],
  ["bare CR before the line", "X-A: b\rTransfer-Encoding: chunked"],
  ["bare LF before the value", "Transfer-Encoding:\n chunked"],
  ["CR LF CR before the line", "X-A: b\r\n\rTransfer-Encoding: chunked"],
  ["bare CR at the end", "Transfer-Encoding: chunked\r"],
  ["bare LF at the end", "Transfer-Encoding: chunked\nX-A: b"],
  ["xchunked", "Transfer-Encoding: xchunked"],
  ["chunkedx", "Transfer-Encoding: chunkedx"],
  ["x chunked", "Transfer-Encoding: x chunked"],
  ["chunk", "Transfer-Encoding: chunk"],
  ["chu nked", "Transfer-Encoding: chu nked"],
  ["identity", "Transfer-Encoding: identity"],
  ["gzip", "Transfer-Encoding: gzip"],
  ["chunked, identity", "Transfer-Encoding: chunked, identity"],
  ["identity, chunked", "Transfer-Encoding: identity, chunked"],
  ["gzip, chunked", "Transfer-Encoding: gzip, chunked"],
  ["chunked, gzip", "Transfer-Encoding: chunked, gzip"],
  ["chunked, chunked", "Transfer-Encoding: chunked, chunked"],
  ["comma at the end", "Transfer-Encoding: chunked,"],
  ["comma before", "Transfer-Encoding: ,chunked"],
  ["commas alone around", "Transfer-Encoding: , chunked , "],
  ["semicolon at the end", "Transfer-Encoding: chunked;"],
  ["a parameter", "Transfer-Encoding: chunked;q=1"],
  ["double quotes", 'Transfer-Encoding: "chunked"'],
  ["single quotes", "Transfer-Encoding: 'chunked'"],
  ["square brackets", "Transfer-Encoding: [chunked]"],
  ["a backslash", "Transfer-Encoding: \\chunked"],
  ["percent-encoded", "Transfer-Encoding: %63hunked"],
  ["empty", "Transfer-Encoding:"],
  ["spaces alone", "Transfer-Encoding:   "],
  ["twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
  ["twice, identity first", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"],
  ["twice, identity last", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"],
  ["twice, empty first", "Transfer-Encoding:\r\nTransfer-Encoding: chunked"],
  ["twice, nonsense last", "Transfer-Encoding: chunked\r\nTransfer-encoding: cow"],
  ["twice, nonsense first", "Transfer-encoding: cow\r\nTransfer-Encoding: chunked"],
  ["three times", "Transfer-Encoding: a\r\nTransfer-Encoding: b\r\nTransfer-Encoding: chunked"],
  ["a semicolon for the colon", "Transfer-Encoding; chunked"],
  ["an equals sign for the colon", "Transfer-Encoding= chunked"],
  ["no colon", "Transfer-Encoding chunked"],
  ["two colons", "Transfer-Encoding:: chunked"],
  ["a colon before", ":Transfer-Encoding: chunked"],
  ["a space in the name", "Transfer Encoding: chunked"],
  ["an underscore in the name", "Transfer_Encoding: chunked", undefined, OTHER_FIELD],
  ["no hyphen in the name", "TransferEncoding: chunked", undefined, OTHER_FIELD],
  ["a prefix to the name", "X-Transfer-Encoding: chunked", undefined, OTHER_FIELD],
  ["Content-Encoding", "Content-Encoding: chunked", undefined, OTHER_FIELD],
];

/** The length covers everything: whoever reads chunks sees the canary as a request. */
const LATE = `0\r\n\r\n${CANARY}`;
/** The length covers the size line: whoever counts sees the canary as a request. */
const EARLY = chunked(CANARY);

export const TRANSFER_ENCODING: readonly RequestVariant[] = DISGUISES.flatMap(([name, lines, alone, beside]) => {
  const base = { mark: lines, rule: RULE, targets: [TARGET] };
  const isOther = beside !== undefined;
  return [
    {
      ...base,
      class: "CL.TE",
      name,
      bytes: [request(`${length(LATE)}${lines}\r\n`, LATE)],
      expect: expectation(beside),
    },
    {
      ...base,
      class: "TE.CL",
      name,
      // Where the line frames nothing the length must be right, or the message would be wrong for another reason.
      bytes: [request(`${lines}\r\nContent-Length: ${isOther ? EARLY.length : 4}\r\n`, EARLY)],
      expect: expectation(beside),
    },
    {
      ...base,
      class: "TE.TE",
      name,
      bytes: [request(`${lines}\r\n`, isOther ? "" : chunked("x"))],
      expect: expectation(alone ?? beside),
    },
  ];
});
