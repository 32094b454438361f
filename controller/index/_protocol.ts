/** What ports speak. */
import type { Protocol } from "../core/snapshot.ts";
import type { ProxyProtocol } from "../kube/resources.ts";

/**
 * Protocol of an `appProtocol`. Unset: look at the first bytes. What is no HTTP, TLS of the application included, is
 * carried as it is; so is what nobody here knows, as the name at least says that it is not HTTP.
 */
export function protocolOf(appProtocol: string | null): Protocol {
  switch (appProtocol?.toLowerCase()) {
    case undefined:
      return "detect";
    case "http":
    case "http1":
    case "http/1.1":
    case "kubernetes.io/ws":
      return "http1";
    case "http2":
    case "h2c":
    case "kubernetes.io/h2c":
      return "http2";
    case "grpc":
      return "grpc";
    default:
      return "opaque";
  }
}

/** Protocol of a Server's `proxyProtocol`. */
export function serverProtocol(proxyProtocol: ProxyProtocol): Protocol {
  switch (proxyProtocol) {
    case "unknown":
      return "detect";
    case "HTTP/1":
      return "http1";
    case "HTTP/2":
      return "http2";
    case "gRPC":
      return "grpc";
    case "opaque":
    case "TLS":
      return "opaque";
    default:
      proxyProtocol satisfies never;
      return "detect";
  }
}
