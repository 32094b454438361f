/** Ports of every sidecar, as the rest of the mesh knows them; the proxy's own defaults are the same. */

/** Outbound traffic that was redirected. */
export const OUTBOUND_PORT = 4140;
/** Mutual TLS from other sidecars. */
export const MESH_PORT = 4143;
/** Plaintext that was redirected. */
export const INBOUND_PORT = 4145;
/** /metrics /ready /live and the operator's paths. */
export const ADMIN_PORT = 4191;
