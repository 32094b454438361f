/** Files of the state folder that others read: the controller, and other commands. */
import { renameSync } from "node:fs";
import { type AddressBook, serviceKey } from "./address_book.ts";
import type { MeshFolder } from "./mesh_folder.ts";
import { privateFile } from "./state_folder.ts";
import type { WorkloadUnit } from "./workload_unit.ts";
import { ADMIN_PORT } from "../../core/sidecar_ports.ts";

/** The controller's --tokens: who is who, by the hash of the token that proves it. */
export function tokensFile(units: readonly WorkloadUnit[]): string {
  const entries = units.filter(({ instance }) => instance.meshed).map(({ instance, tokenHash }) => {
    const { namespace, serviceAccount, name } = instance;
    return [tokenHash, { namespace, serviceAccount, workload: name }];
  });
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** mesh.json: what other commands need to find the parts. @param run what is the same for all of it */
export function meshFile(
  run: {
    readonly pid: number;
    readonly root: boolean;
    readonly controller: { readonly address: string; readonly admin: string };
    /** Absolute paths of the folders of YAML. */
    readonly folders: readonly string[];
    readonly trustDomain: string;
  },
  units: readonly WorkloadUnit[],
  folder: MeshFolder,
  book: AddressBook,
): string {
  const workloads = units.map(({ instance, ip, ips, sidecar }) => ({
    namespace: instance.namespace,
    name: instance.name,
    workload: instance.workload,
    addresses: ips,
    admin: sidecar === null ? null : `http://${ip}:${ADMIN_PORT}`,
  }));
  const services = folder.services.map((service) => ({ name: serviceKey(service), address: book.service(service) }));
  return `${JSON.stringify({ ...run, workloads, services }, null, 2)}\n`;
}

/** Writes a file so that a reader never sees half of it. */
export function replaceFile(file: string, text: string): void {
  privateFile(`${file}.new`, text, null);
  renameSync(`${file}.new`, file);
}
