import { expect, test } from "bun:test";
import { errorCodeName } from "./error_code.ts";
import { MAX_WINDOW_BYTES, rebase, widen, WINDOW_OVERFLOW } from "./flow_control.ts";
import * as frame from "./frame_type.ts";
import { checkSetting } from "./settings.ts";

test.each([
  ["push may be off", frame.SETTINGS_ENABLE_PUSH, 0, true, "NO_ERROR"],
  ["a client may take pushes", frame.SETTINGS_ENABLE_PUSH, 1, false, "NO_ERROR"],
  ["a server must not enable push", frame.SETTINGS_ENABLE_PUSH, 1, true, "PROTOCOL_ERROR"],
  ["push is a boolean", frame.SETTINGS_ENABLE_PUSH, 2, false, "PROTOCOL_ERROR"],
  ["largest window", frame.SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff, false, "NO_ERROR"],
  ["window above 2^31-1", frame.SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000, false, "FLOW_CONTROL_ERROR"],
  ["smallest frame size", frame.SETTINGS_MAX_FRAME_SIZE, 16_384, false, "NO_ERROR"],
  ["frame size too small", frame.SETTINGS_MAX_FRAME_SIZE, 16_383, false, "PROTOCOL_ERROR"],
  ["largest frame size", frame.SETTINGS_MAX_FRAME_SIZE, 16_777_215, false, "NO_ERROR"],
  ["frame size too large", frame.SETTINGS_MAX_FRAME_SIZE, 16_777_216, false, "PROTOCOL_ERROR"],
  ["extended CONNECT is a boolean", frame.SETTINGS_ENABLE_CONNECT_PROTOCOL, 2, true, "PROTOCOL_ERROR"],
  ["unknown settings are ignored", 0x99, 0xffffffff, true, "NO_ERROR"],
])("checkSetting(): %s", (_reason, id, value, fromServer, name) => {
  expect(errorCodeName(checkSetting(id, value, fromServer))).toBe(name);
});

test("errorCodeName() is UNKNOWN beyond the list", () => expect(errorCodeName(14)).toBe("UNKNOWN"));

test("widen() overflows beyond 2^31-1 only", () => {
  expect(widen(MAX_WINDOW_BYTES - 5, 5)).toBe(MAX_WINDOW_BYTES);
  expect(widen(MAX_WINDOW_BYTES - 5, 6)).toBe(WINDOW_OVERFLOW);
  expect(widen(-10, 4)).toBe(-6);
});

test("rebase() may go below zero and overflows above", () => {
  expect(rebase(5_535, 65_535, 16_384)).toBe(-43_616);
  expect(rebase(MAX_WINDOW_BYTES, 65_535, 65_536)).toBe(WINDOW_OVERFLOW);
});
