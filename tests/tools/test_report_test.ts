import { expect, test } from "bun:test";
import { addCounts, countsLine, readReport } from "./test_report.ts";

const XML =
  '<?xml version="1.0"?>\n<testsuites name="bun test" tests="9" assertions="12" failures="2" skipped="3" time="0.1">';

test.each([
  [XML, "", 1, { passed: 4, failed: 2, skipped: 3 }, "the totals"],
  [XML.replace('failures="2"', 'failures="0"'), "", 0, { passed: 6, failed: 0, skipped: 3 }, "a good run"],
  [
    XML.replace('failures="2"', 'failures="0"'),
    "\n 9 pass\n 2 fail\n",
    1,
    { passed: 6, failed: 2, skipped: 3 },
    "two files could not be loaded",
  ],
  [XML.replace('failures="2"', 'failures="0"'), "", 1, { passed: 6, failed: 1, skipped: 3 }, "it crashed at its end"],
  ["", "", 137, { passed: 0, failed: 1, skipped: 0 }, "killed before it could report"],
])("readReport() with %p, %p and exit status %p gives %o: %s", (xml, output, exitCode, expected) => {
  expect(readReport(xml, output, exitCode)).toEqual(expected);
});

test("countsLine() leaves skipped out when there were none", () => {
  const counts = addCounts({ passed: 1, failed: 0, skipped: 0 }, { passed: 2, failed: 1, skipped: 0 });
  expect(countsLine(counts)).toBe("3 passed, 1 failed");
  expect(countsLine({ ...counts, skipped: 4 })).toBe("3 passed, 1 failed, 4 skipped");
});
