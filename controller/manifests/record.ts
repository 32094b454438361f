/** The values of an installation, kept in an annotation of the controller's Deployment, for the next upgrade. */
import { CONTROLLER } from "../core/cluster_names.ts";
import type { Manifest } from "./_common.ts";
import { defaultValues, type InstallValues } from "./values.ts";

/** Values that differ from the defaults of the version that was installed, as JSON. */
export const VALUES_ANNOTATION = "tulle.dev/install-values";

type Tree = Readonly<Record<string, unknown>>;

/** @returns the objects, with the values in the Deployment */
export function recordValues(manifests: readonly Manifest[], values: InstallValues): Manifest[] {
  const { version: _, ...given } = difference(
    values as unknown as Tree, // plain data
    defaultValues(values.version) as unknown as Tree,
  );
  return manifests.map((manifest) => {
    const metadata = manifest["metadata"] as { name: string; annotations?: Tree }; // made by our builders
    if (manifest["kind"] !== "Deployment" || metadata.name !== CONTROLLER) return manifest;
    const annotations = { ...metadata.annotations, [VALUES_ANNOTATION]: JSON.stringify(given) };
    return { ...manifest, metadata: { ...metadata, annotations } };
  });
}

/** What differs, group by group. */
function difference(values: Tree, defaults: Tree): Tree {
  const found: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const usual = defaults[key];
    if (JSON.stringify(value) === JSON.stringify(usual)) continue;
    found[key] = isTree(value) && isTree(usual) ? difference(value, usual) : value;
  }
  return found;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
