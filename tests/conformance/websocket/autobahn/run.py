"""Plays cases of the Autobahn test suite and prints a line of JSON for each: {"case", "outcome"}.

    run.py PACKAGE client 1|2 HOST PORT CASE…     against an echo server, by HTTP/1.1 or HTTP/2
    run.py PACKAGE server PORT                    for echo clients, which ask for /CASE

PACKAGE is the folder of the package autobahntestsuite. PATIENCE multiplies the time that peers have, PARALLEL cases are
played at once, MESSAGES is how many messages the compression cases send.
"""

import asyncio
import json
import os
import sys

import cases
import http1
from fuzzer import Fuzzer

PATIENCE = float(os.environ.get("PATIENCE", "5"))
PARALLEL = int(os.environ.get("PARALLEL", "16"))
MESSAGES = int(os.environ.get("MESSAGES", "1000"))
# Longest time for one case, seconds.
CASE_S = 120


def outcome_of(fuzzer):
    return f"{fuzzer.case.behavior}, closed: {fuzzer.case.behaviorClose}, code {fuzzer.remoteCloseCode}"


def report(name, outcome):
    print(json.dumps({"case": name, "outcome": outcome}), flush=True)


async def play(name, case, connect, host, port):
    fuzzer = Fuzzer(case, False, PATIENCE)
    try:
        await asyncio.wait_for(connect(host, port, fuzzer), CASE_S)
        report(name, outcome_of(fuzzer))
    except Exception as problem:  # whatever is wrong with one case is its outcome
        report(name, f"{type(problem).__name__}: {problem}")


async def client(every, connect, host, port, names):
    gate = asyncio.Semaphore(PARALLEL)

    async def one(name):
        async with gate:
            await play(name, every[name], connect, host, port)

    await asyncio.gather(*(one(name) for name in names))


async def server(every, port):
    async def serve(reader, writer):
        name = ""
        fuzzer = None

        def fuzzer_for(path):
            nonlocal name, fuzzer
            name = path.lstrip("/")
            fuzzer = Fuzzer(every[name], True, PATIENCE) if name in every else None
            return fuzzer

        try:
            await http1.accept(reader, writer, fuzzer_for)
            if fuzzer is not None:
                report(name, outcome_of(fuzzer))
        except Exception as problem:  # as above
            report(name, f"{type(problem).__name__}: {problem}")

    listener = await asyncio.start_server(serve, "0.0.0.0", port)
    print("ready", flush=True)
    await listener.serve_forever()


def main():
    package, role, *rest = sys.argv[1:]
    every = cases.load(package)
    for case in every.values():
        if hasattr(case, "COUNT"):
            case.COUNT = min(case.COUNT, MESSAGES)
    if role == "list":
        print(json.dumps(list(every)))
    elif role == "server":
        asyncio.run(server(every, int(rest[0])))
    else:
        version, host, port, *names = rest
        if version == "2":
            import http2

            connect = http2.connect
        else:
            connect = http1.connect
        asyncio.run(client(every, connect, host, int(port), names))


if __name__ == "__main__":
    main()
