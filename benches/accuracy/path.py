"""A way to a service: a TCP proxy that is late by a different time in each direction, and takes servers in turn.

    python3 path.py HOST:PORT... [--out MS] [--back MS] [--jitter MS]

It is a process of its own, so that nothing that the comparison does makes it later than it is told to be. What it
cannot do without privileges is to delay the handshake of TCP: a connection to it is open at once. None of the tools
under comparison reads a clock from that.

The first line on stdout is `listening on http://HOST:PORT`. The proxy ends when its stdin is closed.
"""

import argparse
import asyncio
import itertools
import random
import sys


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay) -> None:
    """Bytes from one side to the other, each chunk `delay()` seconds late, and in their order."""
    loop = asyncio.get_running_loop()
    late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    try:
        while data := await reader.read(65536):
            late.put_nowait((loop.time() + delay(), data))
        late.put_nowait((loop.time() + delay(), b""))
        await delivery
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        pass  # One side is gone; the other learns it when both of its directions have ended.
    finally:
        delivery.cancel()


async def main(options: argparse.Namespace) -> None:
    servers = itertools.cycle([server.rpartition(":") for server in options.server])

    def late(milliseconds: float):
        return lambda: (milliseconds + random.uniform(0, options.jitter)) / 1000

    async def accept(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        host, _, port = next(servers)
        try:
            server_reader, server_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            client_writer.close()
            return
        await asyncio.gather(
            carry(client_reader, server_writer, late(options.out)),
            carry(server_reader, client_writer, late(options.back)),
        )
        for writer in (client_writer, server_writer):
            writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=512)
    host, port = listener.sockets[0].getsockname()
    print(f"listening on http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("server", nargs="+", metavar="HOST:PORT")
    arguments.add_argument("--out", type=float, default=0.0, metavar="MS", help="what goes to the server comes later")
    arguments.add_argument("--back", type=float, default=0.0, metavar="MS", help="what comes from it comes later")
    arguments.add_argument("--jitter", type=float, default=0.0, metavar="MS", help="at most so much more, at random")
    asyncio.run(main(arguments.parse_args()))
