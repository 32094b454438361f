/**
 * `tulle`, but a worker thread of its proxy fails when the file in TULLE_TEST_FAIL_FILE appears. The first that sees it
 * removes it, and throws where nothing catches.
 */
import { existsSync, rmSync } from "node:fs";

const argv = process.argv.slice(3);

function failOn(file: string): void {
  setInterval(() => {
    if (!existsSync(file)) return;
    rmSync(file);
    throw new Error("the test has a worker fail");
  }, 20);
}

if (!Bun.isMainThread) {
  (await import("../../src/proxy/run/workers/worker.ts")).runWorker();
  failOn(process.env["TULLE_TEST_FAIL_FILE"] ?? "/nonexistent");
} else if (process.argv[2] === "proxy") await (await import("../../src/proxy/run/run.ts")).runProxy(argv);
else await (await import("../../controller/main.ts")).runController(argv);
