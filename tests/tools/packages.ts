/** Debian packages with which tests compare or talk; each is known by a program that it brings. */

export interface Package {
  readonly name: string;
  /** A program whose presence means that the package is there; an absolute path where it is not on the usual PATH. */
  readonly program: string;
}

/** Add a line here when a test needs a program; the test itself must skip, with a reason, when the program is absent. */
export const PACKAGES: readonly Package[] = [
  { name: "nginx", program: "nginx" },
  { name: "redis-server", program: "redis-server" },
  { name: "redis-tools", program: "redis-cli" },
  { name: "postgresql", program: "pg_createcluster" },
  { name: "mariadb-server", program: "mariadbd" },
  { name: "nghttp2-client", program: "h2load" },
  { name: "nghttp2-server", program: "nghttpd" },
  { name: "nghttp2-proxy", program: "nghttpx" },
  { name: "haproxy", program: "haproxy" },
  { name: "prometheus", program: "promtool" },
  { name: "tcpdump", program: "tcpdump" },
  { name: "wrk", program: "wrk" },
  { name: "nftables", program: "nft" },
  { name: "iproute2", program: "ip" },
  { name: "curl", program: "curl" },
];

/** Where Debian keeps programs, whatever PATH says. */
const PROGRAM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":");

/** Path of a program. @returns null when it is absent */
export function findProgram(program: string): string | null {
  return Bun.which(program, { PATH: `${process.env.PATH ?? ""}:${PROGRAM_FOLDERS}` });
}

/** The packages that are not there. */
export function missingPackages(): Package[] {
  return PACKAGES.filter((item) => findProgram(item.program) === null);
}
