/** Where the Kubernetes test bed is: a folder with `up`, `down`, `load`, `mkimage.py`, beside the repository or named by TULLE_KUBE. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = new URL("../../../", import.meta.url).pathname;

/** The folder, or null with a line that says why the tests of a cluster are skipped. */
export const TEST_BED: string | null = find();

function find(): string | null {
  const folder = process.env["TULLE_KUBE"] ?? join(ROOT, "../shared/kube");
  if (!existsSync(join(folder, "up"))) {
    console.log(`skipped: no Kubernetes test bed in ${folder}; name it by TULLE_KUBE`);
    return null;
  }
  if (process.getuid?.() !== 0) {
    console.log("skipped: the Kubernetes test bed needs root");
    return null;
  }
  return folder;
}

/** Path of the repository. */
export const REPOSITORY = ROOT;
