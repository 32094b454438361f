/** Objects → YAML as `tulle install` prints it. */
import { stringify } from "yaml";
import type { Manifest } from "./_common.ts";

/** No anchors, which kubectl understands and people do not; no folding, which changes with the width. */
const YAML_FORM = { aliasDuplicateObjects: false, lineWidth: 0 };

/** One document. */
export function printManifest(manifest: Manifest): string {
  return stringify(manifest, YAML_FORM);
}

/** A stream of documents. */
export function printManifests(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => `---\n${printManifest(manifest)}`).join("");
}
