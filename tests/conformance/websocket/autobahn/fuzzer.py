"""One WebSocket connection that a case of the Autobahn test suite plays on: frames as the case wants them, right or wrong.

It is what the suite's cases call `self.p`; names and behaviour are those of Autobahn's protocol class, whose timeouts
are for a machine that does nothing else, and therefore multiplied.
"""

import asyncio
import collections
import os
import struct

from cases import Constants, Octets, octets

LONG_S = 5
# Seconds that a peer has to answer a close, or to close the TCP connection.
CLOSE_S = 1
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
COMPRESSED = 4
# The most that waits to be written before the case's frames are held back, bytes.
HIGH_WATER = 1 << 20


class Factory:
    def __init__(self, is_server):
        self.isServer = is_server


class Fuzzer(Constants):
    def __init__(self, case, is_server, patience):
        """`patience` multiplies the time that the peer is given."""
        self.factory = Factory(is_server)
        self.perMessageCompressionOffers = []
        self.perMessageCompressionAccept = lambda _offers: None
        self._perMessageCompress = None
        self.autoFragmentSize = 0
        self.createWirelog = False
        self.trafficStats = None
        self.txFrameStats = collections.Counter()
        self.state = self.STATE_CONNECTING
        self.connectionWasOpen = self.wasClean = False
        self.closedByMe = self.droppedByMe = self.failedByMe = False
        self.remoteCloseCode = self.localCloseReason = None
        self.ended = asyncio.get_running_loop().create_future()
        self._patience = patience
        self._received = bytearray()
        self._message = None
        self._frame = None
        self._queue = collections.deque()
        self._writing = None
        self._transport = None
        self.case = case(self)

    # --- the connection

    def open(self, transport, deflate):
        """The handshake is done. `deflate` is what was negotiated, or None."""
        self._transport = transport
        self._perMessageCompress = deflate
        self.state = self.STATE_OPEN
        self.connectionWasOpen = True
        self.case.onOpen()

    def data_received(self, data):
        if self.state == self.STATE_CLOSED:
            return
        self._received += data
        while self.state != self.STATE_CLOSED and self._read_frame():
            pass

    def connection_lost(self):
        if self.ended.done():
            return
        self.state = self.STATE_CLOSED
        self.case.onConnectionLost(self.failedByMe)
        self.ended.set_result(None)

    # --- what cases call

    def enableWirelog(self, _enable):
        pass

    def continueLater(self, delay, function, tag=None):
        self._later(delay, lambda: self.state != self.STATE_CLOSED and function())

    def killAfter(self, delay):
        self._later(self._patient(delay), self.failConnection)

    def closeAfter(self, delay):
        self._later(self._patient(delay), self.sendClose)

    def _patient(self, delay):
        """Short times are for a machine that does nothing else; the long ones of the suite are long enough."""
        return delay * self._patience if delay < LONG_S else delay

    def sendFrame(self, opcode, payload="", fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        body = octets(payload)
        if payload_len is not None and payload_len != len(body):
            body = (body * (payload_len // len(body) + 1))[:payload_len]
        self.txFrameStats[opcode] += 1
        self._send(self._header(opcode, len(body), fin, rsv), body, chopsize or 0, sync)

    def sendMessage(self, payload, isBinary=False, fragmentSize=None):
        body = octets(payload)
        rsv = 0
        if self._perMessageCompress is not None:
            body, rsv = self._perMessageCompress.compress(body), COMPRESSED
        opcode = BINARY if isBinary else TEXT
        size = fragmentSize or self.autoFragmentSize or len(body)
        if len(body) <= size:
            return self.sendFrame(opcode, body, rsv=rsv)
        for at in range(0, len(body), size):
            last = at + size >= len(body)
            self.sendFrame(0 if at > 0 else opcode, body[at : at + size], fin=last, rsv=0 if at > 0 else rsv)

    def beginMessage(self, isBinary=False):
        self._streamed = BINARY if isBinary else TEXT

    def beginMessageFrame(self, length):
        mask = b"" if self.factory.isServer else os.urandom(4)
        self._stream_mask, self._stream_at = mask, 0
        self._write(header(self._streamed, length, False, 0, mask), 0, False)
        self._streamed = 0

    def sendMessageFrameData(self, payload):
        body = octets(payload)
        self._write(masked(body, self._stream_mask, self._stream_at), 0, False)
        self._stream_at += len(body)

    def endMessage(self):
        self.sendFrame(0, "", fin=True)

    def sendClose(self, code=None, reason=None):
        self.sendCloseFrame(code, reason)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        if self.state != self.STATE_OPEN:
            return
        payload = b"" if code is None else struct.pack("!H", code) + octets(reasonUtf8 or "")
        self.sendFrame(CLOSE, payload)
        self.state = self.STATE_CLOSING
        self.closedByMe = not isReply
        self.localCloseReason = reasonUtf8
        if self.closedByMe:
            self._later(CLOSE_S * self._patience, lambda: self.wasClean or self._drop())

    def failConnection(self):
        if self.state == self.STATE_CLOSED:
            return
        self.failedByMe = True
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(self.CLOSE_STATUS_CODE_GOING_AWAY)
        else:
            self._drop()

    # --- sending

    def _header(self, opcode, length, fin, rsv):
        return lambda mask: header(opcode, length, fin, rsv, mask)

    def _send(self, head, body, chopsize, sync):
        mask = b"" if self.factory.isServer else os.urandom(4)
        self._write(head(mask) + masked(body, mask, 0), chopsize, sync)

    def _write(self, data, chopsize, sync):
        """Chopped and synchronous data leaves in pieces of its own, and all else behind it."""
        if chopsize > 0:
            self._queue.extend(data[at : at + chopsize] for at in range(0, len(data), chopsize))
        elif sync or self._queue or self._transport.waiting > HIGH_WATER:
            self._queue.append(data)
        else:
            return self._transport.write(data)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_queued())

    async def _write_queued(self):
        while self._queue and self.state != self.STATE_CLOSED:
            self._transport.write(self._queue.popleft())
            await self._transport.flushed(HIGH_WATER)
        self._writing = None

    # --- receiving

    def _read_frame(self):
        """Takes a frame out of what has arrived; False when there is no whole one."""
        data = self._received
        if len(data) < 2:
            return False
        length, at = data[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(data) < 2 + size:
                return False
            length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        is_masked = data[1] & 0x80 != 0
        mask = bytes(data[at : at + 4]) if is_masked else b""
        start = at + len(mask)
        if len(mask) != (4 if is_masked else 0) or len(data) < start + length:
            return False
        payload = masked(bytes(data[start : start + length]), mask, 0)
        fin, rsv, opcode = data[0] & 0x80 != 0, data[0] >> 4 & 7, data[0] & 15
        del data[: start + length]
        if is_masked != self.factory.isServer or not self._on_frame(opcode, fin, rsv, payload):
            self.failConnection()
        return True

    def _on_frame(self, opcode, fin, rsv, payload):
        """False when the peer breaks the protocol."""
        if opcode == PING:
            if self.state == self.STATE_OPEN:
                self.sendFrame(PONG, payload)
        elif opcode == PONG:
            self.case.onPong(Octets(payload, "latin-1"))
        elif opcode == CLOSE:
            self._on_close(payload)
        elif opcode in (TEXT, BINARY) and self._message is None:
            if rsv not in (0, COMPRESSED) or rsv == COMPRESSED and self._perMessageCompress is None:
                return False
            self._message = [opcode == BINARY, rsv == COMPRESSED, [payload]]
        elif opcode == 0 and rsv == 0 and self._message is not None:
            self._message[2].append(payload)
        else:
            return False
        if fin and opcode in (0, TEXT, BINARY):
            is_binary, is_compressed, parts = self._message
            self._message = None
            body = b"".join(parts)
            if is_compressed:
                body = self._perMessageCompress.decompress(body)
            if self.state == self.STATE_OPEN:
                self.case.onMessage(Octets(body, "latin-1"), is_binary)
        return True

    def _on_close(self, payload):
        if len(payload) >= 2:
            self.remoteCloseCode = struct.unpack("!H", payload[:2])[0]
        self.wasClean = True
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(self.CLOSE_STATUS_CODE_NORMAL, isReply=True)
        self.case.onClose(True, self.remoteCloseCode, Octets(payload[2:], "latin-1"))
        if self.factory.isServer:
            self._drop(orderly=True)
        else:
            self._later(CLOSE_S * self._patience, self._drop)

    # --- the end

    def _drop(self, orderly=False):
        if self.state == self.STATE_CLOSED:
            return
        if not orderly:
            self.droppedByMe = True
        self.state = self.STATE_CLOSED
        if orderly:
            self._transport.close()
        else:
            self._transport.abort()
        self.connection_lost()

    def _later(self, delay, function):
        timer = asyncio.get_running_loop().call_later(delay, lambda: self.ended.done() or function())
        self.ended.add_done_callback(lambda _: timer.cancel())


def header(opcode, length, fin, rsv, mask):
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if mask else 0
    if length < 126:
        return struct.pack("!BB", first, bit | length) + mask
    if length < 1 << 16:
        return struct.pack("!BBH", first, bit | 126, length) + mask
    return struct.pack("!BBQ", first, bit | 127, length) + mask


def masked(data, mask, at):
    """RFC 6455 §5.3; the first byte is at place `at` of its frame."""
    if not mask or not data:
        return data
    turned = mask[at % 4 :] + mask[: at % 4]
    keys = turned * (len(data) // 4) + turned[: len(data) % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(len(data), "little")
