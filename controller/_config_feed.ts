/** Follows all files the controller reads, and says in log and metrics what became of each change. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { errorText, UsageError } from "../src/base/error.ts";
import type { Logger } from "../src/base/log.ts";
import type { Registry } from "./core/metrics.ts";
import type { CertificateAuthority } from "./issuer/authority.ts";
import { parseTokens, type TokenTable } from "./issuer/tokens.ts";
import type { WorldSource } from "./index/world_source.ts";
import { parseAddresses } from "./kube/addresses.ts";
import { ChangeSignal } from "./kube/change_signal.ts";
import { FolderSource } from "./kube/folder_source.ts";
import { formatProblem } from "./kube/problem.ts";
import type { ResourceStore } from "./kube/store.ts";
import { WatchedText } from "./kube/watched_text.ts";
import type { ControllerOptions } from "./cli/controller_options.ts";

/** Where the controller's knowledge comes from. */
export interface Feed {
  /** Reads everything once, then follows changes until `close`. Resolves when everything is known. */
  start(): Promise<void>;
  close(): void;
  /** For /config: plain data, with `errors` as lines. */
  status(): { readonly errors: readonly string[] };
}

export interface FeedTargets {
  readonly store: ResourceStore;
  readonly worlds: WorldSource;
  readonly authority: CertificateAuthority;
  readonly log: Logger;
  readonly registry: Registry;
}

export class ConfigFeed implements Feed {
  readonly #options: ControllerOptions;
  readonly #targets: FeedTargets;
  readonly #reloadRoots: () => void;
  readonly #folders: FolderSource;
  readonly #tokens: WatchedText | null;
  readonly #addresses: WatchedText | null;
  /** Newest error of each file that is not YAML, by file; told once. */
  readonly #errors = new Map<string, string>();
  /** Problems already in the log. */
  #logged = new Set<string>();
  #signal: ChangeSignal | null = null;
  #reloads = 0;
  #tokenTable: TokenTable | null = null;

  /**
   * @param reloadRoots reads the further roots of the state folder again; throws when it cannot use them
   * @throws UsageError when a folder or file that was named is not there
   */
  constructor(options: ControllerOptions, targets: FeedTargets, reloadRoots: () => void) {
    this.#options = options;
    this.#targets = targets;
    this.#reloadRoots = reloadRoots;
    for (const folder of options.configDir) {
      if (!existsSync(folder)) {
        throw new UsageError(`--config-dir ${folder} does not exist: create it, or name another one`);
      }
    }
    this.#folders = new FolderSource(options.configDir, Date.now);
    this.#tokens = options.tokens === null ? null : new WatchedText(options.tokens);
    this.#addresses = options.addresses === null ? null : new WatchedText(options.addresses);
    this.#register(targets.registry);
  }

  /** @throws UsageError when a file cannot be read: there is no last good state yet, and without its policies all would be let in */
  start(): Promise<void> {
    this.#look();
    const refused = this.#folders.status().filter(({ state }) => state === "refused");
    if (refused.length > 0) {
      const problems = refused.flatMap(({ errors }) => errors.map(formatProblem));
      throw new UsageError(`${problems.join("\n")}\nnot started: sidecars go on with what they have; correct it first`);
    }
    const { configDir, tokens, addresses, stateDir } = this.#options;
    const folders = [...configDir, stateDir];
    for (const file of [tokens, addresses]) if (file !== null) folders.push(dirname(file));
    this.#signal = new ChangeSignal(folders, () => this.#look());
    return Promise.resolve();
  }

  close(): void {
    this.#signal?.close();
  }

  /** For /config. */
  status() {
    return {
      files: this.#folders.status().map(({ file, state, objects, errors, warnings }) => ({
        file,
        state,
        objects,
        errors: errors.map(formatProblem),
        warnings: warnings.map(formatProblem),
      })),
      errors: [...this.#folders.folderErrors, ...this.#errors.values()],
    };
  }

  /** @returns true to be called again in a moment */
  #look(): boolean {
    const { store, worlds, authority } = this.#targets;
    const { changed, again } = this.#folders.scan();
    if (changed) {
      this.#reloads++;
      store.replace(this.#folders.resources);
    }
    this.#take(this.#addresses, (text, file) => {
      const parsed = parseAddresses(file, text);
      if ("workloads" in parsed) worlds.setAddresses(parsed);
      return "workloads" in parsed ? null : parsed.join("; ");
    });
    this.#take(this.#tokens, (text, file) => {
      const parsed = parseTokens(file, text);
      if (typeof parsed === "string") return parsed;
      authority.tokens = parsed;
      this.#tokenTable = parsed;
      return null;
    });
    this.#attempt("old-roots.pem", () => this.#reloadRoots());
    this.#tell();
    return again;
  }

  /** Takes the new content of a file; the last good one stays when it cannot be used. */
  #take(watched: WatchedText | null, use: (text: string, file: string) => string | null): void {
    if (watched === null) return;
    try {
      const text = watched.takeNew();
      if (text === null) return;
      const error = use(text, watched.file);
      if (error === null) this.#errors.delete(watched.file);
      else this.#errors.set(watched.file, error);
    } catch (error) {
      this.#errors.set(watched.file, `${watched.file}: cannot be read: ${errorText(error)}`);
    }
  }

  #attempt(name: string, action: () => void): void {
    try {
      action();
      this.#errors.delete(name);
    } catch (error) {
      this.#errors.set(name, errorText(error));
    }
  }

  /** Logs problems that are new, and those that are gone. */
  #tell(): void {
    const { log } = this.#targets;
    const now = new Set<string>();
    const tell = (level: "warn" | "error", text: string, message: string) => {
      now.add(text);
      if (!this.#logged.has(text)) log[level](message, { problem: text });
    };
    for (const { state, errors, warnings } of this.#folders.status()) {
      const message = state === "last_good"
        ? "a configuration file was refused; its last good state stays in force"
        : "a configuration file was refused; nothing of it is in force";
      for (const problem of errors) tell("error", formatProblem(problem), message);
      for (const problem of warnings) tell("warn", formatProblem(problem), "a configuration file has a warning");
    }
    for (const text of [...this.#folders.folderErrors, ...this.#errors.values()]) {
      tell("error", text, "a file cannot be used; what was read before stays in force");
    }
    for (const text of this.#logged) if (!now.has(text)) log.info("a configuration problem is gone", { problem: text });
    this.#logged = now;
  }

  #register(registry: Registry): void {
    const files = registry.gauge("config_files", "Configuration files by state: current, last_good, refused.");
    const problems = registry.gauge("config_problems", "Errors and warnings in the configuration, by severity.");
    const objects = registry.gauge("config_objects", "Objects in force.");
    const reloads = registry.gauge("config_reloads", "Times that files were read anew.");
    const tokens = registry.gauge("identity_tokens", "Join tokens that are valid.");
    registry.collect(() => {
      const status = this.#folders.status();
      for (const state of ["current", "last_good", "refused"]) {
        files.set(status.filter((file) => file.state === state).length, { state });
      }
      const other = this.#folders.folderErrors.length + this.#errors.size;
      problems.set(status.reduce((sum, file) => sum + file.errors.length, other), { severity: "error" });
      problems.set(status.reduce((sum, file) => sum + file.warnings.length, 0), { severity: "warning" });
      objects.set(this.#targets.store.size);
      reloads.set(this.#reloads);
      tokens.set(this.#tokenTable?.size ?? 0);
    });
  }
}
