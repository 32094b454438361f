"""Echo client on the package websockets: `echo_client.py HOST PORT CASE…` connects for each case and echoes to the end."""

import asyncio
import logging
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

PARALLEL = 16


async def main(host, port, names):
    gate = asyncio.Semaphore(PARALLEL)

    async def one(name):
        async with gate:
            try:
                async with connect(f"ws://{host}:{port}/{name}", max_size=None, ping_interval=None) as socket:
                    async for message in socket:
                        await socket.send(message)
            except (OSError, WebSocketException):
                pass  # the server judges

    await asyncio.gather(*(one(name) for name in names))


logging.getLogger("websockets").setLevel(logging.CRITICAL)
asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
