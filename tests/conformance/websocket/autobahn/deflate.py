"""permessage-deflate (RFC 7692): what is offered, accepted, and done to messages."""

import zlib

from cases import PerMessageDeflateOffer

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"
MAX_BITS = 15


class Deflate:
    def __init__(self, out_bits, out_fresh, in_bits, in_fresh):
        """Window bits (0: the most) and whether each message starts afresh, by direction."""
        self._out_bits, self._out_fresh = out_bits or MAX_BITS, out_fresh
        self._in_bits, self._in_fresh = in_bits or MAX_BITS, in_fresh
        self._out = self._in = None

    def compress(self, data):
        if self._out is None or self._out_fresh:
            self._out = zlib.compressobj(wbits=-self._out_bits)
        return (self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]

    def decompress(self, data):
        if self._in is None or self._in_fresh:
            self._in = zlib.decompressobj(wbits=-self._in_bits)
        return self._in.decompress(data + TAIL)


def offer_header(offers):
    """Sec-WebSocket-Extensions of a client, "" for none."""
    return ", ".join(
        parameters(
            ("client_no_context_takeover", offer.acceptNoContextTakeover),
            ("client_max_window_bits", offer.acceptMaxWindowBits),
            ("server_no_context_takeover", offer.requestNoContextTakeover),
            ("server_max_window_bits", offer.requestMaxWindowBits),
        )
        for offer in offers
    )


def parse(value):
    """The parameters of each permessage-deflate in a Sec-WebSocket-Extensions."""
    found = []
    for element in filter(None, (part.strip() for part in value.split(","))):
        name, *rest = (part.strip() for part in element.split(";"))
        if name == NAME:
            found.append({key.strip(): text.strip(' "') for key, _, text in (part.partition("=") for part in rest)})
    return found


def client_side(answer):
    """What a server's answer makes of messages, None without one."""
    for given in parse(answer):
        return Deflate(
            int(given.get("client_max_window_bits") or 0),
            "client_no_context_takeover" in given,
            int(given.get("server_max_window_bits") or 0),
            "server_no_context_takeover" in given,
        )
    return None


def server_side(offered, accept):
    """Our answer to a client's offers, and what it makes of messages: ("", None) when none is accepted."""
    offers = [
        PerMessageDeflateOffer(
            "server_no_context_takeover" in given,
            int(given.get("server_max_window_bits") or 0),
            (True, "client_max_window_bits" in given),
        )
        for given in parse(offered)
    ]
    accepted = accept(offers) if offers else None
    if accepted is None:
        return "", None
    offer = accepted.offer
    answer = parameters(
        ("server_no_context_takeover", offer.requestNoContextTakeover),
        ("server_max_window_bits", offer.requestMaxWindowBits),
        ("client_no_context_takeover", accepted.requestNoContextTakeover),
        ("client_max_window_bits", accepted.requestMaxWindowBits),
    )
    return answer, Deflate(
        offer.requestMaxWindowBits,
        offer.requestNoContextTakeover,
        accepted.requestMaxWindowBits,
        accepted.requestNoContextTakeover,
    )


def parameters(*pairs):
    text = NAME
    for name, value in pairs:
        if value is True:
            text += f"; {name}"
        elif value:
            text += f"; {name}={value}"
    return text
