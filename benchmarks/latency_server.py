"""
A server that costs nothing but time: it answers every question after a fixed wait.

At most `capacity` questions are worked on at once; others wait. So its limit is known: capacity
over latency. It runs in a process of its own, as servers do.
"""

import argparse
import asyncio
import contextlib
import math
import subprocess
import sys
from collections.abc import Iterator

from tests.chat_server import Reply, Request, a_reply, a_vllm, serving


@contextlib.contextmanager
def latency_server(*, latency_seconds: float, capacity: int) -> Iterator[str]:
    """Run the server until the block ends, and yield its address with /v1."""
    options = [f"--latency={latency_seconds}", f"--capacity={capacity}"]
    command = [sys.executable, "-m", "benchmarks.latency_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "stdout is a pipe"
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _serve(latency_seconds: float, capacity: int) -> None:
    free = asyncio.Semaphore(capacity)
    reply = a_reply({letter: math.log(1 / 2 ** (1 + rank)) for rank, letter in enumerate("ABCDEF")})

    async def answer(_: Request) -> Reply:
        async with free:
            await asyncio.sleep(latency_seconds)
        return reply

    async with serving(a_vllm(answer)) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, required=True, help="seconds")
    parser.add_argument("--capacity", type=int, required=True, help="questions at once")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.latency, arguments.capacity))
