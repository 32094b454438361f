/** Where the controller's knowledge and its issuer come from: a cluster, or folders. */
import type { Logger } from "../src/base/log.ts";
import { ClusterFeed } from "./_cluster_feed.ts";
import { ConfigFeed, type Feed } from "./_config_feed.ts";
import { KubeClient } from "./api/client.ts";
import { Definitions } from "./api/definitions.ts";
import { chooseTarget } from "./api/kube_target.ts";
import type { ControllerOptions } from "./cli/controller_options.ts";
import type { Registry } from "./core/metrics.ts";
import type { WorldSource } from "./index/world_source.ts";
import type { CertificateAuthority } from "./issuer/authority.ts";
import { ClusterIssuer } from "./issuer/cluster_issuer.ts";
import { FolderIssuer } from "./issuer/folder_issuer.ts";
import type { Problem } from "./kube/problem.ts";
import type { ResourceStore } from "./kube/store.ts";

/** What a source fills and tells. */
export interface SourceTargets {
  readonly store: ResourceStore;
  readonly worlds: WorldSource;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface Source {
  readonly authority: CertificateAuthority;
  readonly feed: Feed;
  /** null without a cluster. */
  readonly cluster: { readonly client: KubeClient; readonly definitions: Definitions } | null;
  /** What is wrong with objects of the cluster by themselves. */
  problems(): readonly Problem[];
  close(): void;
}

/** Opens the issuer and prepares the feed. In a cluster it waits for the API server and the issuer as long as it takes. */
export async function openSource(options: ControllerOptions, targets: SourceTargets): Promise<Source> {
  const { trustDomain, leafLifetimeMs, stateDir } = options;
  const authorityOptions = { trustDomain, leafLifetimeMs, now: Date.now };
  const client = openClient(options);
  if (client === null) {
    const issuer = await FolderIssuer.open(stateDir, authorityOptions);
    const feed = new ConfigFeed(options, { ...targets, authority: issuer.authority }, () => issuer.reload());
    return { authority: issuer.authority, feed, cluster: null, problems: () => [], close: () => feed.close() };
  }
  let told = "";
  const issuer = await ClusterIssuer.open({
    ...authorityOptions,
    client,
    create: options.createIssuer,
    random: Math.random,
    onTrouble: (what, detail) => {
      const line = `${what}: ${detail}`;
      if (detail !== "" && line !== told) {
        targets.log.error("the issuer cannot be used; the last good one stays", { what, detail });
      }
      told = line;
    },
  });
  const definitions = new Definitions(client, Math.random);
  definitions.start();
  const feed = new ClusterFeed(client, definitions, { ...targets, authority: issuer.authority });
  return {
    authority: issuer.authority,
    feed,
    cluster: { client, definitions },
    problems: () => feed.problems(),
    close() {
      feed.close();
      definitions.close();
      issuer.close();
    },
  };
}

function openClient({ cluster }: ControllerOptions): KubeClient | null {
  if (cluster === null) return null;
  return new KubeClient(chooseTarget({ file: cluster.kubeconfig, context: cluster.context }, process.env));
}
