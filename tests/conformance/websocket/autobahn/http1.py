"""WebSocket handshakes of HTTP/1.1 (RFC 6455 §4), and the TCP connection behind them."""

import asyncio
import base64
import hashlib
import os
import socket

from deflate import client_side, offer_header, server_side

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class TcpTransport:
    def __init__(self, writer):
        self._writer = writer
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def waiting(self):
        return self._writer.transport.get_write_buffer_size()

    def write(self, data):
        if not self._writer.is_closing():
            self._writer.write(data)

    async def flushed(self, most):
        """Resolves when no more than so many bytes wait, and at the earliest in the next turn."""
        await asyncio.sleep(0)
        while self.waiting > most and not self._writer.is_closing():
            await asyncio.sleep(0.001)

    def close(self):
        self._writer.close()

    def abort(self):
        self._writer.transport.abort()


async def pump(reader, fuzzer):
    """Hands the fuzzer what arrives, to the end of the connection."""
    try:
        while data := await reader.read(1 << 16):
            fuzzer.data_received(data)
    except ConnectionError:
        pass
    fuzzer.connection_lost()


async def read_head(reader):
    """Start line and fields, the latter joined by name in lower case."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    return head[0], fields


async def connect(host, port, fuzzer):
    """Plays the client. Raises OSError or ValueError when there is no WebSocket at the other end."""
    reader, writer = await asyncio.open_connection(host, port)
    key = base64.b64encode(os.urandom(16))
    extensions = offer_header(fuzzer.perMessageCompressionOffers)
    lines = [
        "GET /echo HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: WebSocket",
        "Connection: keep-alive, Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        line, fields = await read_head(reader)
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        upgrade = fields.get("upgrade", "").lower()
        if " 101 " not in line or upgrade != "websocket" or fields.get("sec-websocket-accept") != accept:
            raise ValueError(f"no WebSocket: {line} {fields}")
    except Exception:
        writer.close()
        raise
    fuzzer.open(TcpTransport(writer), client_side(fields.get("sec-websocket-extensions", "")))
    await pump(reader, fuzzer)
    writer.close()


async def accept(reader, writer, fuzzer_for):
    """Plays the server. `fuzzer_for` makes the fuzzer of a path, or returns None."""
    line, fields = await read_head(reader)
    fuzzer = fuzzer_for(line.split(" ")[1])
    if fuzzer is None or "sec-websocket-key" not in fields:
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        return writer.close()
    answer, deflate = server_side(fields.get("sec-websocket-extensions", ""), fuzzer.perMessageCompressionAccept)
    digest = hashlib.sha1(fields["sec-websocket-key"].encode() + GUID).digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        *([f"Sec-WebSocket-Extensions: {answer}"] if answer else []),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    fuzzer.open(TcpTransport(writer), deflate)
    await pump(reader, fuzzer)
    writer.close()
