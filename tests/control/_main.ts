/** `tulle controller` from the tree, without the other faces. */
import { runController } from "../../controller/main.ts";

try {
  await runController(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
