/** What the controller has in force, asked by way of the API server. */
import { ApiError } from "../../api/api_error.ts";
import type { KubeClient } from "../../api/client.ts";
import { CONTROLLER, CONTROLLER_ADMIN_PORT, MESH_NAMESPACE } from "../../core/cluster_names.ts";

/** The parts of /config that are shown. */
export interface ControllerConfig {
  readonly services: readonly {
    /** namespace/name */
    readonly service: string;
    readonly addresses: readonly string[];
    readonly ports: readonly {
      readonly port: number;
      readonly protocol: string;
      readonly endpoints: readonly string[];
    }[];
  }[];
}

/** @throws Error that says what to do when no controller answers, ApiError */
export async function readControllerConfig(client: KubeClient): Promise<string> {
  const service = `${CONTROLLER}:${CONTROLLER_ADMIN_PORT}`;
  try {
    return await client.text(`/api/v1/namespaces/${MESH_NAMESPACE}/services/${service}/proxy/config`);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 503)) throw error;
    throw new Error(`no controller answers (${error.message}): see tulle check`);
  }
}
