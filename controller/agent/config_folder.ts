/** Keeps our plugin in the network configuration of a node, however often others write it anew. */
import {
  chmodSync,
  existsSync,
  type FSWatcher,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../src/base/error.ts";
import { chain, type PluginEntry, unchain } from "./cni_config.ts";

/** How often the folder is looked at beside the events of its watch, milliseconds: events get lost on some file systems. */
const LOOK_MS = 5_000;
/** Wait after an event: who writes a file writes it in several steps, milliseconds. */
const SETTLE_MS = 50;

export interface ConfigFolderOptions {
  readonly folder: string;
  readonly entry: PluginEntry;
  /** Told after each change of what is wrong; "" when the plugin is in the chain. */
  readonly onState: (trouble: string) => void;
  readonly onChained: (file: string) => void;
}

export class ConfigFolder {
  readonly #options: ConfigFolderOptions;
  #watch: FSWatcher | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #settle: ReturnType<typeof setTimeout> | null = null;
  #trouble: string | null = null;

  constructor(options: ConfigFolderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#settle !== null) clearTimeout(this.#settle);
    this.#watch?.close();
    this.#watch = null;
  }

  /** Takes the plugin out of every configuration. Call `close` first. @throws Error of the file system */
  remove(): void {
    for (const name of configurations(this.#options.folder)) {
      const file = join(this.#options.folder, name);
      const result = unchain(readFileSync(file, "utf8"));
      if (result.kind === "changed") replace(file, result.text);
    }
  }

  #look(): void {
    const { folder, onState } = this.#options;
    let trouble = "";
    try {
      this.#watch ??= this.#follow(folder);
      trouble = this.#chain(folder);
    } catch (error) {
      trouble = errorText(error);
    }
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    onState(trouble);
  }

  /** Runtimes use the first configuration by name that they can read; so do we. @returns what is wrong, or "" */
  #chain(folder: string): string {
    const { entry, onChained } = this.#options;
    const passedOver: string[] = [];
    for (const name of configurations(folder)) {
      const file = join(folder, name);
      const result = chain(readFileSync(file, "utf8"), entry);
      if (result.kind === "unusable") {
        passedOver.push(`${name}: ${result.detail}`);
        continue;
      }
      if (result.kind === "changed") {
        replace(file, result.text);
        onChained(file);
      }
      return "";
    }
    const why = passedOver.length === 0 ? "" : ` (${passedOver.join("; ")})`;
    return `no network configuration is in ${folder} yet${why}`;
  }

  #follow(folder: string): FSWatcher {
    const watcher = watch(folder, () => {
      this.#settle ??= setTimeout(() => {
        this.#settle = null;
        this.#look();
      }, SETTLE_MS);
    });
    watcher.on("error", () => {
      watcher.close();
      this.#watch = null;
    });
    return watcher;
  }
}

/** Files that runtimes read, in their order. */
function configurations(folder: string): string[] {
  return readdirSync(folder).filter((name) => /\.(conf|conflist|json)$/.test(name)).sort();
}

/** In one step, so that nobody reads half a file. A list needs the name of one, or it is read as a single plugin. */
function replace(file: string, text: string): void {
  const target = file.endsWith(".conf") && text.includes('"plugins"') ? `${file}list` : file;
  const temporary = `${target}.tulle-tmp`;
  writeFileSync(temporary, text);
  chmodSync(temporary, statSync(file).mode & 0o777);
  renameSync(temporary, target);
  if (target !== file && existsSync(file)) unlinkSync(file);
}
