/** `tulle controller`: flags → parts, wired together; waits for a signal. */
import { errorText, UsageError } from "../src/base/error.ts";
import { hostPort } from "../src/base/ip.ts";
import type { Logger } from "../src/base/log.ts";
import { VERSION } from "../src/base/version.ts";
import { DiscoveryService } from "../proto/gen/tulle/discovery/v1/discovery_pb.ts";
import { IdentityService } from "../proto/gen/tulle/identity/v1/identity_pb.ts";
import type { Feed } from "./_config_feed.ts";
import { nextTurn, warningText, WarningWatch } from "./_warning_watch.ts";
import { ClusterDuties } from "./_cluster_duties.ts";
import { openSource } from "./_source.ts";
import { type ControllerOptions, type Endpoint, indexOptions, parseOptions } from "./cli/controller_options.ts";
import { CONTROLLER, MESH_NAMESPACE, WEBHOOK_SERVICE } from "./core/cluster_names.ts";
import { lineQueue, serviceLog } from "./core/log_lines.ts";
import { Registry } from "./core/metrics.ts";
import { WorldSource } from "./index/world_source.ts";
import type { CertificateAuthority, KeyedCertificate } from "./issuer/authority.ts";
import { ResourceStore } from "./kube/store.ts";
import { mistakesOf } from "./writers/mistakes.ts";
import { serveAdmin } from "./serve/admin.ts";
import { DiscoveryHandler } from "./serve/discovery_service.ts";
import { IdentityHandler } from "./serve/identity_service.ts";
import { serveMetrics } from "./serve/metrics.ts";
import { pathOf } from "./serve/rpc_handler.ts";
import { ControlServer } from "./serve/server.ts";
import type { StreamMethod } from "./serve/stream_call.ts";

const STDOUT = 1;
/** How long open calls may take to end after SIGTERM, milliseconds: streams are ended at once, so only unary calls need it. */
const SHUTDOWN_GRACE_MS = 2000;
/**
 * How long a controller of a cluster goes on serving after SIGTERM, milliseconds: until every node has heard that it is no
 * longer an endpoint, admissions still come here, and one that fails lets a pod in without its sidecar.
 */
const HANDOVER_MS = 5000;
/** Names by which an API server may reach us. */
const OWN_NAMES = [`${WEBHOOK_SERVICE}.${MESH_NAMESPACE}.svc`, `${CONTROLLER}.${MESH_NAMESPACE}.svc`];
/** Share of its life after which our own certificate is renewed. */
const RENEW_AT = 0.7;
/** Longest time between two looks at our own certificate, milliseconds: timers overflow beyond 24 days. */
const MAX_RENEW_WAIT_MS = 24 * 3_600_000;

/**
 * Runs the controller until SIGTERM or SIGINT.
 * @param argv arguments after "controller"
 * @throws UsageError or Error whose message names the remedy, when it cannot start
 */
export async function runController(argv: string[]): Promise<void> {
  const options = parseOptions(argv);
  if (options === null) return;
  const log = serviceLog(options.logLevel);
  const controller = await start(options, log);
  lineQueue(STDOUT).offer(JSON.stringify({ ready: true, version: VERSION, ...controller.addresses }) + "\n");
  const signal = await new Promise<string>((resolve) => {
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGINT", () => resolve("SIGINT"));
  });
  log.info("shutting down", { signal });
  await controller.stop();
}

interface Running {
  readonly addresses: { readonly listen: string; readonly admin: string };
  stop(): Promise<void>;
}

async function start(options: ControllerOptions, log: Logger): Promise<Running> {
  const registry = new Registry();
  const metrics = serveMetrics(registry);
  const store = new ResourceStore();
  const worlds = new WorldSource(store, indexOptions(options));
  const discovery = new DiscoveryHandler({ source: worlds, metrics, log, now: Date.now, random: Math.random });
  let feed: Feed | null = null;
  let ready = false;
  // What is open already must not keep a process alive that could not start.
  await using opened = new AsyncDisposableStack();
  const admin = await listening(options.admin, "--admin", () =>
    Promise.resolve(serveAdmin({
      ...options.admin,
      registry,
      isReady: () => ready,
      config: () => configDump(feed, worlds, discovery),
    })));
  opened.defer(() => admin.stop(true));
  const source = await openSource(options, { store, worlds, log, registry });
  opened.defer(() => source.close());
  const { authority } = source;
  feed = source.feed;
  await feed.start();
  const warnings = new WarningWatch(worlds, log);
  opened.defer(() => warnings.close());
  const identity = new IdentityHandler(authority, metrics, log);
  let own = await authority.certifySelf(OWN_NAMES);
  const duties = source.cluster === null ? null : new ClusterDuties({
    ...source.cluster,
    authority,
    store,
    log,
    registry,
    mistakes: () => mistakesOf(source.problems(), warnings.current),
  });
  const server = await listening(options.listen, "--listen", () =>
    ControlServer.listen({
      ...options.listen,
      identity: identityOf(own, authority),
      now: Date.now,
      routes: (router) => {
        router.service(DiscoveryService, discovery, { readMaxBytes: discovery.frames.maxBytes });
        router.service(IdentityService, identity, { readMaxBytes: identity.frames.maxBytes });
      },
      admit: (context) => identity.admit(context),
      rooms: new Map([[pathOf(IdentityService.method.certify), identity.certifying]]),
      streams: new Map<string, StreamMethod>([
        [pathOf(discovery.frames.method), discovery.frames],
        [pathOf(identity.frames.method), identity.frames],
      ]),
      log,
    }));
  if (duties !== null) {
    opened.defer(() => duties.close());
    await duties.start(options, own);
  }
  const parts = opened.move();
  const renewal = keepRenewed(authority, log, (renewed) => {
    own = renewed;
    server.setIdentity(identityOf(own, authority));
    duties?.setIdentity(own);
  }, own);
  authority.onBundle(() => {
    log.info("the trust bundle changed", { roots: authority.bundle.roots.length });
    server.setIdentity(identityOf(own, authority));
    renewal.now(); // another root may sign, and the old one be distrusted soon
  });
  ready = true;
  return {
    addresses: {
      listen: hostPort(options.listen.host, server.port),
      admin: hostPort(options.admin.host, admin.port ?? 0),
    },
    async stop() {
      ready = false;
      if (duties !== null) await Bun.sleep(HANDOVER_MS);
      renewal.stop();
      discovery.close();
      identity.close();
      await server.close(SHUTDOWN_GRACE_MS);
      await parts.disposeAsync();
    },
  };
}

function identityOf(own: KeyedCertificate, authority: CertificateAuthority) {
  return { keyPem: own.keyPem, certificatePem: own.certificatePem, bundlePem: authority.bundlePem };
}

interface Renewal {
  now(): void;
  stop(): void;
}

/** Renews our own certificate in time, and when it is asked to, for as long as the process lives. */
function keepRenewed(
  authority: CertificateAuthority,
  log: Logger,
  use: (renewed: KeyedCertificate) => void,
  first: KeyedCertificate,
): Renewal {
  let timer: ReturnType<typeof setTimeout>;
  let renewAtMs = renewalTime(first);
  const look = async () => {
    if (Date.now() >= renewAtMs) {
      try {
        const renewed = await authority.certifySelf(OWN_NAMES);
        renewAtMs = renewalTime(renewed);
        use(renewed);
      } catch (error) {
        log.error("cannot renew the controller's own certificate; trying again", { reason: errorText(error) });
      }
    }
    schedule();
  };
  const schedule = () => {
    timer = setTimeout(() => void look(), Math.min(MAX_RENEW_WAIT_MS, Math.max(1000, renewAtMs - Date.now())));
  };
  schedule();
  return {
    now() {
      clearTimeout(timer);
      renewAtMs = 0;
      void look();
    },
    stop: () => clearTimeout(timer),
  };
}

function renewalTime({ notAfterMs }: KeyedCertificate): number {
  const now = Date.now();
  return now + (notAfterMs - now) * RENEW_AT;
}

/** Everything that is in force, for /config. */
async function configDump(feed: Feed | null, worlds: WorldSource, discovery: DiscoveryHandler) {
  const warnings = await worlds.current.warningsInTurns(nextTurn);
  const world = worlds.current;
  return {
    version: VERSION,
    ...feed?.status(),
    warnings: warnings.map(warningText),
    services: world.services(),
    workloads: world.workloads(),
    proxies: [...discovery.sessions].map((session) => ({
      workload: `${session.workload.namespace}/${session.workload.name}`,
      identity: session.identity,
      proxyVersion: session.proxyVersion,
      connected: new Date(session.startedMs).toISOString(),
      resources: session.status().map(({ refused, ...status }) => ({
        ...status,
        refused: refused === null ? null : { ...refused, at: new Date(refused.atMs).toISOString() },
      })),
    })),
  };
}

/** Runs something that listens, and says what to do when it cannot. */
async function listening<T>(endpoint: Endpoint, flag: string, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code; // of the socket; undefined otherwise
    const where = hostPort(endpoint.host, endpoint.port);
    if (code === "EADDRINUSE") {
      throw new UsageError(
        `${where} is in use: stop what listens there (ss -ltnp), or give another address with ${flag}`,
      );
    }
    if (code === "EADDRNOTAVAIL") {
      throw new UsageError(`${where} is no address of this machine: give another one with ${flag}`);
    }
    if (code === "EACCES") throw new UsageError(`${where} needs a privilege: give a port above 1023 with ${flag}`);
    throw new Error(`cannot listen on ${where}: ${errorText(error)}`);
  }
}
