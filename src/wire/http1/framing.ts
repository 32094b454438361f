/** How the end of a body is found (RFC 9112 §6). */

/** No body bytes follow the head. */
export const FRAMING_NONE = 0;
/** `contentLength` bytes follow; more than 0. */
export const FRAMING_LENGTH = 1;
/** Chunks follow. */
export const FRAMING_CHUNKED = 2;
/** Everything until the connection closes; responses only. */
export const FRAMING_UNTIL_CLOSE = 3;
