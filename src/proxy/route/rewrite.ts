/** What a backend is asked for in place of what the client asked for (Gateway API HTTPURLRewriteFilter). */
import type { Rewrite } from "../../model/route_plan.ts";
import { HeaderBlock } from "../../wire/header_block.ts";
import { editPath } from "./path_edit.ts";

/** The request after a rewrite. Remembered on the block under the rewrite's identity. */
export function applyRewrite(block: HeaderBlock, rewrite: Rewrite): HeaderBlock {
  if (block.editKey === rewrite && block.editValue !== null) return block.editValue;
  const { method, scheme, protocol, status, fields, contentLength, flags } = block;
  const start = {
    method,
    scheme,
    authority: rewrite.hostname === "" || block.authority === "" ? block.authority : rewrite.hostname,
    path: rewrite.path === null ? block.path : editPath(block.path, rewrite.path, rewrite.matched),
    protocol,
    status,
  };
  const rewritten = new HeaderBlock(start, fields, contentLength, flags);
  rewritten.sensitive = block.sensitive;
  block.editKey = rewrite;
  block.editValue = rewritten;
  return rewritten;
}
