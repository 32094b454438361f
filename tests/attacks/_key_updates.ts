/**
 * A TLS 1.3 client that sends KeyUpdates as fast as it can, each asking for one in return: by OpenSSL's library, since no
 * runtime lets its programs do that. Prints how many it sent, and whether the connection stood to the end.
 *
 *     bun _key_updates.ts HOST PORT CERTIFICATE KEY COUNT
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

const { i32, u32, i64, ptr: pointer } = FFIType;
const AF_INET = 2;
const SOCK_STREAM = 1;
const PEM = 1;
/** SSL_KEY_UPDATE_REQUESTED */
const REQUESTED = 1;
const ALPN = new TextEncoder().encode("\x07tulle/1");

const libc = dlopen("libc.so.6", {
  socket: { args: [i32, i32, i32], returns: i32 },
  connect: { args: [i32, pointer, u32], returns: i32 },
}).symbols;
const ssl = dlopen("libssl.so.3", {
  TLS_client_method: { args: [], returns: pointer },
  SSL_CTX_new: { args: [pointer], returns: pointer },
  SSL_CTX_use_certificate_file: { args: [pointer, pointer, i32], returns: i32 },
  SSL_CTX_use_PrivateKey_file: { args: [pointer, pointer, i32], returns: i32 },
  SSL_CTX_set_alpn_protos: { args: [pointer, pointer, u32], returns: i32 },
  SSL_new: { args: [pointer], returns: pointer },
  SSL_ctrl: { args: [pointer, i32, i64, pointer], returns: i64 },
  SSL_set_fd: { args: [pointer, i32], returns: i32 },
  SSL_connect: { args: [pointer], returns: i32 },
  SSL_key_update: { args: [pointer, i32], returns: i32 },
  SSL_do_handshake: { args: [pointer], returns: i32 },
}).symbols;
/** SSL_CTRL_SET_TLSEXT_HOSTNAME */
const SET_HOSTNAME = 55;

const [host = "", port = "", certificate = "", key = "", count = ""] = process.argv.slice(2);
const text = (value: string) => new TextEncoder().encode(`${value}\0`);
const address = new Uint8Array(16);
new DataView(address.buffer).setUint16(0, AF_INET, true);
new DataView(address.buffer).setUint16(2, Number(port));
address.set(host.split(".").map(Number), 4);
const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
if (libc.connect(fd, ptr(address), address.length) !== 0) throw new Error("cannot connect");
const context = ssl.SSL_CTX_new(ssl.TLS_client_method());
ssl.SSL_CTX_use_certificate_file(context, text(certificate), PEM);
ssl.SSL_CTX_use_PrivateKey_file(context, text(key), PEM);
ssl.SSL_CTX_set_alpn_protos(context, ALPN, ALPN.length);
const connection = ssl.SSL_new(context);
ssl.SSL_ctrl(connection, SET_HOSTNAME, 0n, text("mesh.tulle.dev"));
ssl.SSL_set_fd(connection, fd);
if (ssl.SSL_connect(connection) !== 1) throw new Error("no handshake");
let sent = 0;
while (sent < Number(count)) {
  if (ssl.SSL_key_update(connection, REQUESTED) !== 1 || ssl.SSL_do_handshake(connection) !== 1) break;
  sent++;
}
console.log(JSON.stringify({ sent, stood: sent === Number(count) }));
