/** Host names of rules against the authority of a request. */

/**
 * The host of an authority: without port and without the dot of a rooted name, in lower case.
 *
 * @param authority "Web.Shop:80", "[::1]:80", "web.shop."; "" gives ""
 */
export function hostOf(authority: string): string {
  let end = authority.length;
  if (authority.charCodeAt(0) === 0x5b) { // "[": an IPv6 literal ends at its bracket
    const bracket = authority.indexOf("]");
    if (bracket > 0) end = bracket + 1;
  } else {
    const colon = authority.lastIndexOf(":");
    if (colon >= 0) end = colon;
  }
  if (end > 1 && authority.charCodeAt(end - 1) === 0x2e) end--;
  return authority.slice(0, end).toLowerCase();
}

/**
 * Whether any of the names stands for the host (Gateway API `Hostname`: "*." takes one or more labels).
 *
 * @param names lower case; empty stands for all hosts
 * @param host as `hostOf` gives it
 */
export function matchesHost(names: readonly string[], host: string): boolean {
  if (names.length === 0) return true;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string; // in range
    if (name.charCodeAt(0) !== 0x2a) { // "*"
      if (name === host) return true;
    } else if (host.length > name.length - 1 && host.endsWith(name.slice(1)) && host.charCodeAt(0) !== 0x2e) {
      return true;
    }
  }
  return false;
}
