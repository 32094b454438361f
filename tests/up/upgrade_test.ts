/** Sidecars of `tulle up`, which capture, have given up root and have two threads, upgraded where they run. As root. */
import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { means } from "../capture/_bed.ts";
import { run } from "../support/process.ts";
import { tulleCommand } from "../support/tulle_command.ts";
import { client, server, tracesOnMachine, UpFolder } from "./_folder.ts";

const isRoot = means() === "here";
const TEST_MS = 120_000;
const READY_MS = 40_000;

const NAMESPACE = `apiVersion: v1
kind: Namespace
metadata: { name: shop, annotations: { tulle.dev/proxy-workers: "2" } }
---
`;

test.if(isRoot)(
  "captured sidecars are upgraded in their namespace; no call fails, and up does not notice",
  async () => {
    using folder = new UpFolder({ "mesh.yaml": `${NAMESPACE}${server("web")}---\n${client("client", "http://web/")}` });
    await using up = folder.up();
    await up.waitForOutput(/of \d+ sidecars ready/, READY_MS);
    await eventually(() => expect(folder.log("shop.client-0/app.log")).toContain("replica 0"), READY_MS);
    const start = folder.log("shop.client-0/app.log").length;
    for (const name of ["web-0", "client-0", "web-0"]) {
      const place = tracesOnMachine().find((each) => each.endsWith(`-${name}`));
      const inside = ["nsenter", `--net=/run/netns/${place}`, ...tulleCommand(), "proxy", "upgrade", "-o", "json"];
      // Busy while the process before has not come back: asked again until it is over.
      await eventually(async () => {
        const { code, stdout, stderr } = await run({ argv: inside, name: "upgrade" });
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(JSON.parse(stdout)).toMatchObject({ ok: true, keepsPid: true });
      }, READY_MS);
      await eventually(
        () => expect(folder.log(`shop.${name}/sidecar.log`)).toContain("serves again; this one finishes"),
        READY_MS,
      );
    }
    const seen = folder.log("shop.client-0/app.log").length;
    await eventually(() => expect(folder.log("shop.client-0/app.log").length).toBeGreaterThan(seen + 200));
    const answers = folder.log("shop.client-0/app.log").slice(start).trim().split("\n");
    expect(answers.filter((line) => line !== "" && line !== "replica 0")).toEqual([]);
    expect(up.output()).not.toContain("ended");
  },
  TEST_MS,
);
