/**
 * The issuer of a cluster, kept in a Secret: made by the first controller, or put there by the user or cert-manager. A change
 * of the Secret or of the further roots takes effect at once; what cannot be used is told, and the last good one stays.
 */
import { errorText } from "../../src/base/error.ts";
import { ApiError } from "../api/api_error.ts";
import type { KubeClient, KubeObject } from "../api/client.ts";
import { followObject } from "../api/follow_object.ts";
import type { ListWatch } from "../api/list_watch.ts";
import { TYPES } from "../api/resource_type.ts";
import { EXTRA_ROOTS_CONFIG_MAP, ISSUER_SECRET, MESH_NAMESPACE } from "../core/cluster_names.ts";
import { type AuthorityOptions, CertificateAuthority } from "./authority.ts";
import { createRoot, type Issuer, type IssuerMaterial, readIssuer, readRoots } from "./issuer.ts";
import { readRetiredRoots, type RetiredRoot, writeRetiredRoot } from "./retired_roots.ts";

/** Key of the ConfigMap with roots that are trusted beside the issuer's own. */
export const ROOTS_KEY = "roots.pem";
/**
 * How long another root is trusted before it signs, milliseconds: whoever renews a Secret, such as cert-manager, exchanges root
 * and key at once, and a leaf of a root that its peers have not been told of is refused.
 */
const TRUST_FIRST_MS = 10_000;
/** How often a Secret that is not there yet is looked for, milliseconds. */
const RETRY_MS = 1000;
/** Timers overflow beyond 24 days. */
const MAX_TIMER_MS = 24 * 24 * 3_600_000;

export interface ClusterIssuerOptions extends AuthorityOptions {
  readonly client: KubeClient;
  /** False: somebody else makes the Secret, and it is waited for. */
  readonly create: boolean;
  readonly random: () => number;
  /** "" when all is well again. */
  readonly onTrouble: (what: "issuer" | "roots", detail: string) => void;
}

export class ClusterIssuer {
  readonly authority: CertificateAuthority;
  readonly #options: ClusterIssuerOptions;
  readonly #watches: readonly ListWatch[];
  #issuer: Issuer;
  /** What will sign once its root is trusted everywhere. */
  #next: Issuer | null = null;
  #further: ReturnType<typeof readRoots> = [];
  /** Roots that signed before and are nobody else's to keep: trusted until the last leaf of theirs has expired. */
  readonly #retired = new Map<string, Issuer["root"]>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Newest Secret; readings of older ones that end later are dropped. */
  #turn = 0;
  #isClosed = false;

  private constructor(options: ClusterIssuerOptions, issuer: Issuer, retired: readonly RetiredRoot[]) {
    this.#options = options;
    this.#issuer = issuer;
    for (const each of retired) this.#retire(each);
    this.authority = new CertificateAuthority(options, issuer, [...this.#retired.values()]);
    this.#watches = [
      this.#follow(TYPES.Secret, ISSUER_SECRET, (secret) => void this.#takeSecret(secret)),
      this.#follow(TYPES.ConfigMap, EXTRA_ROOTS_CONFIG_MAP, (map) => this.#takeRoots(map)),
    ];
  }

  /** Waits for an issuer that can be used, making it when that is our part, and follows it from then on. */
  static async open(options: ClusterIssuerOptions): Promise<ClusterIssuer> {
    while (true) {
      try {
        const secret = await options.client.find(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET) ??
          (options.create ? await createSecret(options) : null);
        if (secret === null) throw new Error(`Secret ${MESH_NAMESPACE}/${ISSUER_SECRET} is not there yet`);
        const issuer = await readIssuer(materialOf(secret), options.now());
        return new ClusterIssuer(options, issuer, await readRetiredRoots(options.client, options.now()));
      } catch (error) {
        options.onTrouble("issuer", errorText(error));
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #follow(type: typeof TYPES.Secret | typeof TYPES.ConfigMap, name: string, take: (object: KubeObject | null) => void) {
    const { client, random } = this.#options;
    const watch = followObject({ client, type, namespace: MESH_NAMESPACE, name, take, random });
    watch.start();
    return watch;
  }

  async #takeSecret(secret: KubeObject | null): Promise<void> {
    const turn = ++this.#turn;
    try {
      if (secret === null) throw new Error("the Secret is gone: put it back; the one in memory stays in force");
      const issuer = await readIssuer(materialOf(secret), this.#options.now());
      if (turn !== this.#turn) return;
      this.#take(issuer);
      this.#options.onTrouble("issuer", "");
    } catch (error) {
      this.#options.onTrouble("issuer", `Secret ${MESH_NAMESPACE}/${ISSUER_SECRET}: ${errorText(error)}`);
    }
  }

  #take(issuer: Issuer): void {
    this.#next = null;
    const before = pemOf(this.#issuer.root);
    const further = this.#further.map(pemOf);
    // A root among the further ones is kept and taken away by whoever put it there.
    if (before !== pemOf(issuer.root) && !further.includes(before)) {
      void this.#keep({ root: this.#issuer.root, untilMs: this.#leavesEndMs() + TRUST_FIRST_MS });
    }
    if ([before, ...further].includes(pemOf(issuer.root))) return this.#switch(issuer);
    this.#next = issuer;
    this.#use();
    this.#after(TRUST_FIRST_MS, () => {
      if (this.#next === issuer) this.#switch(issuer);
    });
  }

  #switch(issuer: Issuer): void {
    const before = this.#issuer.root;
    this.#issuer = issuer;
    this.#next = null;
    const pem = pemOf(before);
    if (pem !== pemOf(issuer.root) && !this.#further.map(pemOf).includes(pem)) {
      this.#retire({ root: before, untilMs: this.#leavesEndMs() });
    }
    this.#use();
  }

  /** When a leaf that is signed now has expired, wall clock. */
  #leavesEndMs(): number {
    return this.#options.now() + this.#options.leafLifetimeMs;
  }

  #retire({ root, untilMs }: RetiredRoot): void {
    const pem = pemOf(root);
    this.#retired.set(pem, root);
    this.#after(Math.min(Math.max(untilMs - this.#options.now(), 0), MAX_TIMER_MS), () => {
      if (this.#retired.get(pem) !== root) return; // retired again since
      this.#retired.delete(pem);
      this.#use();
    });
  }

  /** Writes a root down for controllers that start later; until it is written, tries again. */
  async #keep(retired: RetiredRoot): Promise<void> {
    const { client, now, onTrouble } = this.#options;
    try {
      await writeRetiredRoot(client, retired, now());
    } catch (error) {
      if (this.#isClosed) return;
      onTrouble("roots", `cannot keep the root that signed before: ${errorText(error)}`);
      this.#after(RETRY_MS, () => void this.#keep(retired));
    }
  }

  #use(): void {
    const next = this.#next === null ? [] : [this.#next.root];
    this.authority.use(this.#issuer, [...next, ...this.#further, ...this.#retired.values()]);
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #takeRoots(map: KubeObject | null): void {
    const what = `ConfigMap ${MESH_NAMESPACE}/${EXTRA_ROOTS_CONFIG_MAP}`;
    try {
      const data = (map?.["data"] ?? {}) as Readonly<Record<string, string>>; // text to text by the API's schema
      this.#further = readRoots(data[ROOTS_KEY] ?? "", what);
      this.#use();
      this.#options.onTrouble("roots", "");
    } catch (error) {
      this.#options.onTrouble("roots", `${what}: ${errorText(error)}`);
    }
  }
}

function pemOf(root: Issuer["root"]): string {
  return root.toString("pem");
}

async function createSecret({ client, trustDomain, now }: ClusterIssuerOptions): Promise<KubeObject | null> {
  const { keyPem, certificatePem } = await createRoot(trustDomain, now());
  try {
    return await client.create(TYPES.Secret, MESH_NAMESPACE, {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/tls",
      metadata: { name: ISSUER_SECRET, namespace: MESH_NAMESPACE },
      stringData: { "tls.key": keyPem, "tls.crt": certificatePem, "ca.crt": certificatePem },
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.isConflict)) throw error;
    return await client.find(TYPES.Secret, MESH_NAMESPACE, ISSUER_SECRET); // another controller was first
  }
}

function materialOf(secret: KubeObject): IssuerMaterial {
  const data = (secret["data"] ?? {}) as Readonly<Record<string, string>>; // base64 by the API's schema
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  return { keyPem: text("tls.key"), certificatePem: text("tls.crt"), rootPem: text("ca.crt") };
}
