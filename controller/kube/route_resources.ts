/** Routes of the Gateway API as far as the mesh reads them. */
import type { Cors, Fraction, HeaderEdit, Redirect, Rewrite, Session } from "../core/route_plan.ts";
import type { Meta, ObjectRef } from "./resources.ts";

export interface ParentRef extends ObjectRef {
  readonly port: number | null;
  readonly sectionName: string | null;
}

/** A Service's port, or whatever else a reference may name. */
export interface BackendPort extends ObjectRef {
  readonly port: number | null;
}

export interface BackendRef extends BackendPort {
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

export type RouteFilter =
  | { readonly kind: "request_headers"; readonly edit: HeaderEdit }
  | { readonly kind: "response_headers"; readonly edit: HeaderEdit }
  | { readonly kind: "redirect"; readonly redirect: Redirect }
  | { readonly kind: "rewrite"; readonly rewrite: Rewrite }
  | { readonly kind: "mirror"; readonly backend: BackendPort; readonly fraction: Fraction }
  | { readonly kind: "cors"; readonly cors: Cors }
  /** A filter of the Gateway API that the mesh does not carry out; its rule answers 500 rather than ignore it. */
  | { readonly kind: "unsupported"; readonly type: string };

export type TextMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string };

export type PathMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string };

export interface NamedMatch {
  readonly name: string;
  readonly match: TextMatch;
}

export interface HttpRouteMatch {
  readonly path: PathMatch | null;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  readonly method: string | null;
}

export interface GrpcRouteMatch {
  /** null: any service (or method). Both null: any call. */
  readonly service: TextMatch | null;
  readonly method: TextMatch | null;
  readonly headers: readonly NamedMatch[];
}

export interface RouteRetry {
  readonly codes: readonly number[];
  /** null: not said. */
  readonly attempts: number | null;
  /** Milliseconds; null: not said. */
  readonly backoffMs: number | null;
}

export interface RouteRule<Match> {
  readonly name: string | null;
  /** Empty: everything matches. */
  readonly matches: readonly Match[];
  readonly filters: readonly RouteFilter[];
  readonly backendRefs: readonly BackendRef[];
  /** Milliseconds; null: not said; 0: no limit. */
  readonly requestTimeoutMs: number | null;
  readonly backendTimeoutMs: number | null;
  readonly retry: RouteRetry | null;
  readonly session: Session | null;
  /** Why it cannot be read and is left out; absent from a rule that is in force. */
  readonly dropped?: string;
}

/** What all kinds of routes have. */
interface RouteOf<Kind extends string, Match> {
  readonly kind: Kind;
  readonly meta: Meta;
  readonly parents: readonly ParentRef[];
  /** TLSRoute: names that clients ask for by TLS, at least one. TCPRoute: none, as nothing tells connections apart. */
  readonly hostnames: readonly string[];
  readonly rules: readonly RouteRule<Match>[];
  /** Why nothing of it can be read but that its parents, Servers all, have it: they are closed. Absent from a good one. */
  readonly unreadable?: string;
}

export type HttpRoute = RouteOf<"HTTPRoute", HttpRouteMatch>;
export type GrpcRoute = RouteOf<"GRPCRoute", GrpcRouteMatch>;
export type TcpRoute = RouteOf<"TCPRoute", never>;
export type TlsRoute = RouteOf<"TLSRoute", never>;
export type AnyRoute = HttpRoute | GrpcRoute | TcpRoute | TlsRoute;
