/** The text of `tulle proxy --help`, which a proxy that runs does not load. */
import { proxyConfigHelp } from "../../config/proxy_config.ts";

/** The whole text, with a newline at its end. */
export function proxyHelp(): string {
  return `Run the sidecar proxy of one workload.

Usage: tulle proxy
       tulle proxy drain      send new connections elsewhere, as before a stop
       tulle proxy upgrade    replace the running proxy by a new program; no connection is refused or cut

It is configured by its environment; \`tulle up\` and the injector set it. Ports: 4140 takes what the workload sends,
4143 mutual TLS from other sidecars, 4145 what others send, 4191 /metrics /ready /live /config /flows /tap.

Environment:
${proxyConfigHelp()}

Example, beside a service on this machine that needs no capture:
  TULLE_WORKLOAD_NAMESPACE=shop TULLE_WORKLOAD_NAME=front-0 TULLE_WORKLOAD_ADDRESSES=127.0.0.2 \\
  TULLE_CONTROLLER_ADDRESS=127.0.0.1:8086 TULLE_TRUST_BUNDLE_FILE=$PWD/state/trust-bundle.pem \\
  TULLE_TOKEN_FILE=$PWD/token \\
  TULLE_OUTBOUND_FORWARDS=127.0.0.1:9000=10.96.0.10:80 tulle proxy
`;
}
