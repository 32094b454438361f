"""WebSocket handshakes of HTTP/2 (RFC 8441), and the stream behind them; HTTP/2 itself is the package h2."""

import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

from deflate import client_side, offer_header

WINDOW = 1 << 24


class StreamTransport:
    """One stream, on a connection of its own."""

    def __init__(self, connection, writer, stream):
        self._connection, self._writer, self._stream = connection, writer, stream
        self._pending = bytearray()
        self._ends = self._ended = False

    @property
    def waiting(self):
        return len(self._pending) + self._writer.transport.get_write_buffer_size()

    def write(self, data):
        self._pending += data
        self.pump()

    async def flushed(self, most):
        await asyncio.sleep(0)
        while self.waiting > most and not self._writer.is_closing():
            await asyncio.sleep(0.001)

    def pump(self):
        """Sends what the peer's window allows."""
        if self._ended:
            return
        connection, stream = self._connection, self._stream
        while self._pending:
            size = min(
                len(self._pending), connection.local_flow_control_window(stream), connection.max_outbound_frame_size
            )
            if size <= 0:
                break
            connection.send_data(stream, bytes(self._pending[:size]))
            del self._pending[:size]
        if self._ends and not self._pending:
            self._ended = True
            connection.end_stream(stream)
        self.flush()

    def flush(self):
        data = self._connection.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)

    def close(self):
        self._ends = True
        self.pump()

    def abort(self):
        if not self._ended:
            self._ended = True
            self._connection.reset_stream(self._stream, ErrorCodes.CANCEL)
            self.flush()


async def connect(host, port, fuzzer):
    """Plays the client. Raises OSError or ValueError when there is no WebSocket at the other end."""
    reader, writer = await asyncio.open_connection(host, port)
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
    connection.increment_flow_control_window(WINDOW)
    writer.write(connection.data_to_send())
    try:
        await _announced(reader, writer, connection)
        stream = connection.get_next_available_stream_id()
        extensions = offer_header(fuzzer.perMessageCompressionOffers)
        connection.send_headers(
            stream,
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":path", "/echo"),
                (":authority", f"{host}:{port}"),
                ("sec-websocket-version", "13"),
                *([("sec-websocket-extensions", extensions)] if extensions else []),
            ],
        )
        transport = StreamTransport(connection, writer, stream)
        transport.flush()
        await _pump(reader, transport, connection, fuzzer)
    finally:
        writer.close()


async def _announced(reader, writer, connection):
    """Resolves when the server has said that it takes extended CONNECT."""
    while connection.remote_settings.enable_connect_protocol != 1:
        data = await reader.read(1 << 16)
        if not data:
            raise ValueError("the server does not announce extended CONNECT")
        connection.receive_data(data)
        writer.write(connection.data_to_send())


async def _pump(reader, transport, connection, fuzzer):
    is_open = False
    try:
        while data := await reader.read(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    fields = dict(event.headers)
                    if fields[":status"] != "200":
                        raise ValueError(f"no WebSocket: {fields}")
                    is_open = True
                    fuzzer.open(transport, client_side(fields.get("sec-websocket-extensions", "")))
                elif isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    fuzzer.data_received(event.data)
                elif isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated)):
                    if not is_open:
                        raise ValueError(f"no WebSocket: {event}")
                    return fuzzer.connection_lost()
            transport.pump()
    except ConnectionError:
        pass
    if not is_open:
        raise ValueError("no WebSocket: the connection ended")
    fuzzer.connection_lost()
