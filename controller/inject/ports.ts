/** Ports of the sidecar that the injector names. The proxy's own defaults are the same. */
export const ADMIN_PORT = 4191;
