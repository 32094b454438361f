import { expect, test } from "bun:test";
import fc from "fast-check";
import { parsePrometheusText } from "./prometheus_text.ts";

const ALL = () => true;

test("parsePrometheusText() reads names, labels and values, and passes over the rest", () => {
  const text = `# HELP request_total Requests.
# TYPE request_total counter
request_total{direction="inbound",tls="true"} 12 1700000000
up 1
bucket{le="+Inf"} +Inf
not a sample
broken{le="1" 3
`;
  expect(parsePrometheusText(text, ALL)).toEqual([
    { name: "request_total", labels: { direction: "inbound", tls: "true" }, value: 12 },
    { name: "up", labels: {}, value: 1 },
    { name: "bucket", labels: { le: "+Inf" }, value: Infinity },
  ]);
});

test("parsePrometheusText() undoes escapes and takes braces in values as they are", () => {
  const [sample] = parsePrometheusText('a{path="/{x}",quote="\\"\\\\\\n"} 1\n', ALL);
  expect(sample?.labels).toEqual({ path: "/{x}", quote: '"\\\n' });
});

test("parsePrometheusText() splits only names that are wanted", () => {
  expect(parsePrometheusText("a 1\nb 2\n", (name) => name === "b").map((sample) => sample.name)).toEqual(["b"]);
});

test("parsePrometheusText() gives back any labels that were written by the rules", () => {
  const escape = (value: string) => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  fc.assert(
    fc.property(fc.string(), fc.integer(), (value, number) => {
      fc.pre(!/[\r\u2028\u2029]/.test(value)); // line ends that the format does not know
      expect(parsePrometheusText(`m{a="${escape(value)}"} ${number}\n`, ALL)).toEqual([
        { name: "m", labels: { a: value }, value: number },
      ]);
    }),
    { numRuns: 300 },
  );
});
