/** Checks the values of SETTINGS (RFC 9113 §6.5.2, RFC 8441 §3). */
import { FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR } from "./error_code.ts";
import { MAX_WINDOW_BYTES } from "./flow_control.ts";
import {
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_FRAME_SIZE,
} from "./frame_type.ts";

/** Smallest and largest value of SETTINGS_MAX_FRAME_SIZE, bytes; the smallest is the default. */
const MIN_MAX_FRAME_BYTES = 16_384;
const MAX_MAX_FRAME_BYTES = 16_777_215;

/**
 * Whether a setting's value is allowed.
 *
 * @param fromServer a server sent it; one must not enable push
 * @returns NO_ERROR (also for settings we do not know, which have no effect), or the connection error it is
 */
export function checkSetting(id: number, value: number, fromServer: boolean): number {
  switch (id) {
    case SETTINGS_ENABLE_PUSH:
      return value > (fromServer ? 0 : 1) ? PROTOCOL_ERROR : NO_ERROR;
    case SETTINGS_INITIAL_WINDOW_SIZE:
      return value > MAX_WINDOW_BYTES ? FLOW_CONTROL_ERROR : NO_ERROR;
    case SETTINGS_MAX_FRAME_SIZE:
      return value < MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES ? PROTOCOL_ERROR : NO_ERROR;
    case SETTINGS_ENABLE_CONNECT_PROTOCOL:
      return value > 1 ? PROTOCOL_ERROR : NO_ERROR;
    default:
      return NO_ERROR;
  }
}
