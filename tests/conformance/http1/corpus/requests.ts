/** All request variants, numbered by their place. */
import { BODIES } from "./bodies.ts";
import { CHUNKS } from "./chunks.ts";
import { CONNECTION } from "./connection.ts";
import { CONTENT_LENGTH } from "./content_length.ts";
import { EXPECT_UPGRADE } from "./expect_upgrade.ts";
import { FIELDS } from "./fields.ts";
import { HOSTS } from "./host.ts";
import { REQUEST_LINE } from "./request_line.ts";
import { TRANSFER_ENCODING } from "./transfer_encoding.ts";
import type { RequestVariant } from "./variant.ts";

export const REQUESTS: readonly RequestVariant[] = [
  ...TRANSFER_ENCODING,
  ...CONTENT_LENGTH,
  ...CHUNKS,
  ...FIELDS,
  ...REQUEST_LINE,
  ...HOSTS,
  ...CONNECTION,
  ...BODIES,
  ...EXPECT_UPGRADE,
];
