import { expect, test } from "bun:test";
import { errnoName } from "../os/errno.ts";
import { SystemError } from "./system_error.ts";

test("SystemError says what was tried, what the kernel said and what to do when the number is known", () => {
  const error = new SystemError("install the capture rules", 1);
  expect(error.message).toBe(
    "EPERM: cannot install the capture rules: this needs CAP_NET_ADMIN and CAP_SYS_ADMIN: " +
      "run as root, or where user namespaces are allowed",
  );
});

test("SystemError keeps number and detail when the number is unknown", () => {
  expect(new SystemError("add x", 71, "why").message).toBe("errno 71: cannot add x (why)");
  expect(errnoName(17)).toBe("EEXIST");
});
