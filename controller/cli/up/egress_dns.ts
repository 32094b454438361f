/** Whether names are pinned for a workload of a folder, and who its nameservers are. */
import { canonicalIp } from "../../core/ip.ts";

const EGRESS_DNS = "tulle.dev/egress-dns";
/** A folder has no nameserver of its own, so it says which one its workloads use. */
const NAMESERVERS = "tulle.dev/nameservers";
/** As many as the C library asks. */
const MAX_NAMESERVERS = 3;

type Annotations = Readonly<Record<string, string>>;

export interface DnsSettings {
  readonly pinned: boolean;
  /** Empty: none, names are those of /etc/hosts. */
  readonly nameservers: readonly string[];
}

/** @param problems gets a line for each annotation that is malformed; what restricts holds until it is corrected */
export function readDns(annotations: Annotations, where: string, problems: string[]): DnsSettings {
  const wrong = (key: string, want: string) =>
    void problems.push(
      `${where}: metadata.annotations["${key}"]: found ${JSON.stringify(annotations[key])}, want ${want}`,
    );
  const policy = annotations[EGRESS_DNS] ?? "off";
  if (policy !== "off" && policy !== "pinned") wrong(EGRESS_DNS, "off or pinned; pinned holds until then");
  const parts = (annotations[NAMESERVERS] ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
  const nameservers = parts.map(canonicalIp).filter((ip) => ip !== null);
  if (nameservers.length !== parts.length || parts.length > MAX_NAMESERVERS) {
    wrong(NAMESERVERS, `at most ${MAX_NAMESERVERS} addresses, separated by commas`);
  }
  return { pinned: policy !== "off", nameservers: nameservers.slice(0, MAX_NAMESERVERS) };
}
