/** What routes do with requests, to messages of the protocol. */
import type { create, MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type * as pb from "../../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import type * as core from "../core/route_plan.ts";
import type { WeightedBackend } from "../core/snapshot.ts";

type Init<S extends Parameters<typeof create>[0]> = MessageInitShape<S>;

/** Fields of an OutboundRoute. */
export function routePlan({ redirect, rewrite: edit, mirrors, cors, session }: core.RoutePlan) {
  return {
    ...(redirect === null ? {} : { redirect: { ...redirect, ...pathOf(redirect) } }),
    ...(edit === null ? {} : { rewrite: rewrite(edit) }),
    mirrors: [...mirrors],
    ...(cors === null ? {} : { cors: corsOf(cors) }),
    ...(session === null ? {} : { session: sessionOf(session) }),
  } satisfies Init<typeof pb.OutboundRouteSchema>;
}

export function weightedBackend({ backend, weight, filters }: WeightedBackend): Init<typeof pb.WeightedBackendSchema> {
  if (filters === null) return { backend, weight };
  const { requestHeaders, responseHeaders, rewrite: edit, mirrors } = filters;
  return {
    backend,
    weight,
    ...(requestHeaders === null ? {} : { requestHeaders: headerEdit(requestHeaders) }),
    ...(responseHeaders === null ? {} : { responseHeaders: headerEdit(responseHeaders) }),
    ...(edit === null ? {} : { rewrite: rewrite(edit) }),
    mirrors: [...mirrors],
  };
}

export function headerEdit(edit: core.HeaderEdit): Init<typeof pb.HeaderEditSchema> {
  return { set: [...edit.set], add: [...edit.add], remove: [...edit.remove] };
}

/** @param ms at least 0 */
export function duration(ms: number): Pick<Duration, "seconds" | "nanos"> {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

function rewrite(edit: core.Rewrite): Init<typeof pb.RewriteSchema> {
  return { hostname: edit.hostname, ...pathOf(edit) };
}

/** `path: undefined` is a field that is not there. */
function pathOf({ path }: { readonly path: core.PathEdit | null }) {
  return path === null ? { path: undefined } : { path: { kind: { case: path.kind, value: path.value } } };
}

function corsOf(cors: core.Cors): Init<typeof pb.CorsSchema> {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders } = cors;
  return {
    ...cors,
    allowOrigins: [...allowOrigins],
    allowMethods: [...allowMethods],
    allowHeaders: [...allowHeaders],
    exposeHeaders: [...exposeHeaders],
  };
}

function sessionOf({ name, inHeader, absoluteTimeoutMs, permanent }: core.Session): Init<typeof pb.SessionSchema> {
  return {
    name,
    inHeader,
    permanent,
    ...(absoluteTimeoutMs === null ? {} : { absoluteTimeout: duration(absoluteTimeoutMs) }),
  };
}
