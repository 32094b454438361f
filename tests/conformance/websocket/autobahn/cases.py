"""Loads the case classes of the Autobahn test suite, which are Python 2, into Python 3.

The classes are used as published. In Python 2 text was bytes; here it is text of the characters U+0000 to U+00FF, one
per byte, and the few library functions that want bytes are given them.
"""

import builtins
import codecs
import hashlib
import importlib.abc
import importlib.util
import os
import re
import sys
import types

PRINT = re.compile(r"^(\s*)print(\s.*)?$", re.MULTILINE)


def octets(data):
    """Bytes of a payload, whichever way the case has it."""
    return data if isinstance(data, bytes) else data.encode("latin-1")


class Octets(str):
    """A received message as cases see it."""

    __slots__ = ()

    def decode(self, encoding):
        return self.encode("latin-1").decode(encoding)


class Constants:
    """What cases take from Autobahn's protocol class."""

    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = range(4)
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_GOING_AWAY = 1001
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007


class PerMessageDeflateOffer:
    def __init__(self, requestNoContextTakeover=False, requestMaxWindowBits=0, accepts=(True, True)):
        self.requestNoContextTakeover = requestNoContextTakeover
        self.requestMaxWindowBits = requestMaxWindowBits
        self.acceptNoContextTakeover, self.acceptMaxWindowBits = accepts


class PerMessageDeflateOfferAccept:
    def __init__(self, offer, requestNoContextTakeover=False, requestMaxWindowBits=0):
        self.offer = offer
        self.requestNoContextTakeover = requestNoContextTakeover
        self.requestMaxWindowBits = requestMaxWindowBits


class Utf8Validator:
    def reset(self):
        pass

    def validate(self, text):
        """(valid so far, ends on a code point)"""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(octets(text))
        except UnicodeDecodeError:
            return (False, False)
        return (True, decoder.getstate()[0] == b"")


class Sha1:
    def __init__(self):
        self._hash = hashlib.sha1()

    def update(self, data):
        self._hash.update(octets(data))

    def digest(self):
        return self._hash.digest()


def load(folder):
    """Case classes by their number, "1.1.1", in the suite's order. `folder` is that of the package autobahntestsuite."""
    stubs = {
        "autobahn": {},
        "autobahn.websocket": {},
        "autobahn.websocket.protocol": {"WebSocketProtocol": Constants},
        "autobahn.websocket.utf8validator": {"Utf8Validator": Utf8Validator},
        "autobahn.websocket.compress": {
            "PerMessageDeflateOffer": PerMessageDeflateOffer,
            "PerMessageDeflateOfferAccept": PerMessageDeflateOfferAccept,
            "PerMessageDeflateResponse": type("PerMessageDeflateResponse", (), {}),
            "PerMessageDeflateResponseAccept": type("PerMessageDeflateResponseAccept", (), {}),
        },
        "pkg_resources": {"resource_filename": lambda _package, name: os.path.join(folder, name)},
        "twisted": {},
        "twisted.internet": {"reactor": None, "interfaces": types.SimpleNamespace(IPushProducer=None)},
        "zope": {},
        "zope.interface": {"implements": lambda _interface: None},
    }
    for name, members in stubs.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    builtins.xrange = range
    sys.meta_path.insert(0, Finder(os.path.join(folder, "case")))
    every = importlib.import_module("autobahn_cases")
    sys.modules["case"].Case.compare = lambda _self, one, other: one == other
    return {name_of(each): each for each in every.Cases}


def name_of(case):
    return case.__name__[len("Case"):].replace("_", ".")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, folder):
        self._folder = folder

    def find_spec(self, name, _path, _target=None):
        file = os.path.join(self._folder, "__init__.py" if name == "autobahn_cases" else f"{name}.py")
        if not re.fullmatch(r"autobahn_cases|case[0-9A-Za-z_]*", name) or not os.path.exists(file):
            return None
        return importlib.util.spec_from_file_location(name, file, loader=self)

    def create_module(self, _spec):
        return None

    def exec_module(self, module):
        with open(module.__spec__.origin, encoding="latin-1") as source:
            text = source.read()
        text = re.sub(r"coding=utf-8", "", PRINT.sub(r"\1pass", text))
        text = text.replace("(object, Case, )", "(Case, )").replace("len(self.payload) / ", "len(self.payload) // ")
        text = text.replace("import copy, os, pkg_resources, hashlib, binascii", "import copy, os, pkg_resources")
        module.__dict__["hashlib"] = types.SimpleNamespace(sha1=Sha1)
        exec(compile(text.replace("import binascii", ""), module.__spec__.origin, "exec"), module.__dict__)
        module.__dict__["binascii"] = BINASCII



BINASCII = types.SimpleNamespace(b2a_hex=lambda text: octets(text).hex(), hexlify=lambda data: octets(data).hex())
builtins.binascii = BINASCII
