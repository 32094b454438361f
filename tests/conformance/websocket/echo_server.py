"""Echo server on the package websockets: `echo_server.py PORT`."""

import asyncio
import logging
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(port):
    async with serve(echo, "0.0.0.0", port, max_size=None, ping_interval=None, close_timeout=20) as server:
        print("ready", flush=True)
        await server.serve_forever()


logging.getLogger("websockets").setLevel(logging.CRITICAL)  # clients do everything wrong here
asyncio.run(main(int(sys.argv[1])))
