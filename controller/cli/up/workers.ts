/** How many threads the sidecar of a workload has, by annotation. */

const WORKERS = "tulle.dev/proxy-workers";
/** As `tulle proxy` takes them. */
const MAX_WORKERS = 64;

/**
 * Reads the annotation tulle.dev/proxy-workers; 1 without it.
 *
 * @param problems gets a line when it is malformed
 */
export function readWorkers(annotations: Readonly<Record<string, string>>, where: string, problems: string[]): number {
  const text = annotations[WORKERS];
  if (text === undefined) return 1;
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_WORKERS) return count;
  problems.push(
    `${where}: metadata.annotations["${WORKERS}"]: found ${JSON.stringify(text)}, want a number 1–${MAX_WORKERS}`,
  );
  return 1;
}
