/** The Containerfile makes an image that runs with nothing: no root, no capability, nowhere to write. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../src/base/version.ts";
import { PROXY_UID } from "../../controller/core/cluster_names.ts";
import { REPOSITORY, TEST_BED } from "../kubernetes/support/test_bed.ts";
import { run } from "../support/process.ts";
import { need } from "../support/tools.ts";

setDefaultTimeout(300_000);

const tools = need("buildah", "unshare", "setpriv");
const isBuilt = existsSync(join(REPOSITORY, "dist/tulle"));
if (!isBuilt) console.log("skipped: dist/tulle is not there (deno task build)");
const IMAGE = "localhost/tulle:image-test";

describe.skipIf(tools === null || TEST_BED === null || !isBuilt)("the image", () => {
  let storage = "";
  let mounted = "";

  async function buildah(...args: string[]): Promise<string> {
    const at = ["--root", join(storage, "root"), "--runroot", join(storage, "run"), "--storage-driver", "vfs"];
    const argv = [tools?.buildah ?? "", ...at, ...args];
    const { code, stdout, stderr } = await run({ argv, cwd: REPOSITORY, timeoutMs: 250_000 });
    if (code !== 0) throw new Error(`buildah ${args[0]}: ${stderr.slice(-600)}`);
    return stdout.trim();
  }

  beforeAll(async () => {
    storage = mkdtempSync(join(tmpdir(), "tulle-image-"));
    const base = await run({ argv: [join(TEST_BED ?? "", "load"), "--file", "deb"], timeoutMs: 60_000 });
    await buildah("pull", "--quiet", `docker-archive:${base.stdout.trim()}`);
    const given = ["--target", "prebuilt", "--build-arg", "BASE_IMAGE=docker.io/library/deb:12"];
    await buildah("build", "--quiet", "--pull-never", "--isolation", "chroot", ...given, "--tag", IMAGE, ".");
    mounted = await buildah("mount", await buildah("from", "--pull-never", IMAGE));
  });
  afterAll(async () => {
    await buildah("umount", "--all").catch(() => {}); // the folder goes in any case
    rmSync(storage, { recursive: true, force: true });
  });

  test("says the user, and starts the binary", async () => {
    const { OCIv1: { config } } = JSON.parse(await buildah("inspect", "--type", "image", IMAGE));
    expect(config.User).toBe(`${PROXY_UID}:${PROXY_UID}`);
    expect(config.Entrypoint).toEqual(["/usr/local/bin/tulle"]);
  });

  test("has the binary, the C library, and no other file", async () => {
    const files = readdirSync(mounted, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const names = files.map(({ name }) => name.replace(/\.so.*/, ".so")).sort();
    console.log(`the image has ${names.join(", ")}`);
    expect(names).toContain("tulle");
    expect(names.filter((name) => !name.endsWith(".so"))).toEqual(["tulle"]);
    const { size } = Bun.file(join(mounted, "usr/local/bin/tulle"));
    const total = files.reduce((sum, { name, parentPath }) => sum + Bun.file(join(parentPath, name)).size, 0);
    console.log(`${(total / 1e6).toFixed(1)} MB, of which the binary is ${(size / 1e6).toFixed(1)} MB`);
    expect(total - size).toBeLessThan(6e6);
  });

  test("runs as its user, without a capability, on a root that cannot be written", async () => {
    // Arguments of sh: the root, the user, the program.
    const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && ' +
      'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && ' +
      'exec setpriv --bounding-set=-all,+sys_chroot,+setuid,+setgid --no-new-privs chroot --userspec="$1" "$0" "$2" "$3"';
    const argv = [tools?.unshare ?? "", "--mount", "sh", "-c", script, mounted, `${PROXY_UID}:${PROXY_UID}`];
    const { code, stdout, stderr } = await run({ argv: [...argv, "/usr/local/bin/tulle", "version"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toStartWith(`tulle ${VERSION} `);
  });
});
