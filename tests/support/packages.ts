/** Debian packages that the tests in tests/mesh and the bench use when they are there, each with what it is for. */
export interface DebianPackage {
  readonly name: string;
  /** A program of the package, by which its presence is recognised. */
  readonly program: string;
  readonly purpose: string;
}

export const MESH_PACKAGES: readonly DebianPackage[] = [
  { name: "nginx", program: "nginx", purpose: "HTTP/1.1 server behind the mesh; peer in the bench" },
  { name: "libnginx-mod-stream", program: "nginx", purpose: "nginx as an opaque TCP peer in the bench" },
  { name: "haproxy", program: "haproxy", purpose: "peer in the bench" },
  { name: "nghttp2-client", program: "h2load", purpose: "load for HTTP/1.1 and HTTP/2" },
  { name: "nghttp2-server", program: "nghttpd", purpose: "HTTP/2 server behind the mesh" },
  { name: "nghttp2-proxy", program: "nghttpx", purpose: "peer in the bench" },
  { name: "redis-server", program: "redis-server", purpose: "a protocol that is not HTTP" },
  { name: "redis-tools", program: "redis-benchmark", purpose: "load on Redis" },
  { name: "postgresql", program: "psql", purpose: "a database whose client speaks first" },
  { name: "postgresql-contrib", program: "psql", purpose: "pgbench" },
  { name: "mariadb-server", program: "mariadbd", purpose: "a database whose server speaks first" },
  { name: "mariadb-client", program: "mariadb", purpose: "its client" },
  { name: "etcd-server", program: "etcd", purpose: "gRPC and HTTP/1.1 on one port, by a Go server" },
  { name: "etcd-client", program: "etcdctl", purpose: "its client" },
  { name: "prometheus", program: "promtool", purpose: "promtool check metrics" },
  { name: "curl", program: "curl", purpose: "HTTP client" },
  { name: "openssl", program: "openssl", purpose: "a TLS client with chosen certificates and sessions" },
  { name: "tcpdump", program: "tcpdump", purpose: "bytes on the wire" },
  { name: "nftables", program: "nft", purpose: "capture rules as people read them" },
  { name: "dnsmasq-base", program: "dnsmasq", purpose: "a nameserver" },
  { name: "bind9-dnsutils", program: "dig", purpose: "a resolver that speaks TCP" },
  { name: "faketime", program: "faketime", purpose: "clocks that are set wrong" },
  { name: "iproute2", program: "ip", purpose: "network namespaces" },
];
