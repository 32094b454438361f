/** Endpoints of Services, as the controller tells them to the sidecars. */
import { UsageError } from "../../../src/base/error.ts";
import { suggest } from "../../../src/base/suggest.ts";
import type { KubeClient } from "../../api/client.ts";
import type { Output } from "../_command.ts";
import { namespaceOf, type ScopeOptions } from "../cluster_targets.ts";
import { type ControllerConfig, readControllerConfig } from "./controller_config.ts";

/** Endpoints of a line of the table; the rest is counted. */
const SHOWN = 6;

/** @param names Services: "web", "svc/web", "web.shop"; none: all of the namespace @throws UsageError when a name means nothing */
export async function showEndpoints(
  client: KubeClient,
  names: readonly string[],
  options: ScopeOptions & { readonly output: Output },
): Promise<void> {
  const { services } = JSON.parse(await readControllerConfig(client)) as ControllerConfig; // our own controller's
  const found = chooseServices(services, names, namespaceOf(client, options));
  if (options.output === "json") process.stdout.write(`${JSON.stringify({ services: found }, null, 2)}\n`);
  else process.stdout.write(endpointsTable(found));
}

/** @param namespace of names that say none; null: any */
export function chooseServices(
  services: ControllerConfig["services"],
  names: readonly string[],
  namespace: string | null,
): ControllerConfig["services"] {
  const inNamespace = (service: string) => namespace === null || service.startsWith(`${namespace}/`);
  if (names.length === 0) return services.filter(({ service }) => inNamespace(service));
  return names.flatMap((word) => {
    const [name = "", ofNamespace] = word.replace(/^(svc|service|services)\//, "").split(".");
    const found = services.filter(({ service }) => {
      return ofNamespace === undefined
        ? inNamespace(service) && service.endsWith(`/${name}`)
        : service === `${ofNamespace}/${name}`;
    });
    if (found.length > 0) return found;
    const near = suggest(name, services.map(({ service }) => service.split("/")[1] ?? ""));
    throw new UsageError(`the controller knows no Service "${word}"${near === null ? "" : `; did you mean ${near}?`}`);
  });
}

/** The table for people, a line for each port. */
export function endpointsTable(services: ControllerConfig["services"]): string {
  const rows = services.flatMap(({ service, addresses, ports }) =>
    ports.map(({ port, protocol, endpoints }) => {
      const more = endpoints.length > SHOWN ? ` +${endpoints.length - SHOWN}` : "";
      const shown = endpoints.length === 0 ? "none" : `${endpoints.slice(0, SHOWN).join(",")}${more}`;
      return [service, String(port), protocol, addresses.join(",") || "headless", shown];
    })
  );
  if (rows.length === 0) return "no Services there\n";
  const table = [["SERVICE", "PORT", "PROTOCOL", "ADDRESSES", "ENDPOINTS"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  return table.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd()}\n`).join("");
}
