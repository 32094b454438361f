/** The backends of one target, each once, and what references of its routes mean by number. */
import { type Backend, INVALID_BACKEND } from "../core/snapshot.ts";
import { type BackendPort, keyOf } from "../kube/resources.ts";
import { resolveBackend } from "./_backend_refs.ts";
import type { AnyRoute } from "./_routes.ts";
import { serviceBackend, type ServiceContext } from "./_services.ts";

export class BackendTable {
  readonly list: Backend[];
  readonly #parentNamespace: string;
  readonly #context: ServiceContext;

  /** @param own the Service that the target is: number 0 */
  constructor(own: Backend, context: ServiceContext) {
    this.list = [own];
    this.#parentNamespace = own.backend.namespace;
    this.#context = context;
  }

  /**
   * Number of the backend that a reference means, INVALID_BACKEND when it means none.
   * @param otherwise what becomes of requests then, for people
   */
  indexOf(ref: BackendPort, route: AnyRoute, otherwise: string): number {
    const { set, report } = this.#context;
    const found = resolveBackend(ref, route, this.#parentNamespace, set);
    if (!found.ok) {
      report.warn(keyOf(route), `${found.detail}: ${otherwise}`);
      return INVALID_BACKEND;
    }
    const { service, port } = found;
    const known = this.list.findIndex(({ backend, port: number }) =>
      backend.namespace === service.meta.namespace && backend.name === service.meta.name && number === port.port
    );
    return known >= 0 ? known : this.list.push(serviceBackend(service, port, this.#context)) - 1;
  }
}
