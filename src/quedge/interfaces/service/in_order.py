"""A stream whose requests are begun as they come and answered in order, so that those that wait are seen to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

Q = TypeVar("Q")
B = TypeVar("B")
A = TypeVar("A")

MOST_OWED = 64
"""Answers that a stream may owe; beyond it no more is read, and its client has to wait."""


async def in_order(
    requests: AsyncGenerator[Q, None], begin: Callable[[Q], B], finish: Callable[[B], Awaitable[A]]
) -> AsyncGenerator[A, None]:
    """The answers to requests.

    Args:
        requests: what is asked, as it comes.
        begin: called with each request as soon as it is there, though earlier ones have no answer yet.
        finish: makes the answer of what was begun.

    Raises:
        EndedError: `requests` raised it; all that came before is answered.
    """
    begun: asyncio.Queue[B | None] = asyncio.Queue()
    room = asyncio.Semaphore(MOST_OWED)

    async def read() -> None:
        try:
            async with aclosing(requests):
                async for request in requests:
                    begun.put_nowait(begin(request))
                    await asyncio.sleep(0)  # an answer that is there goes out before more is read
                    await room.acquire()
        finally:
            begun.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        while (one := await begun.get()) is not None:
            yield await finish(one)
            room.release()
        await reading  # in the stream's own task: there what it raises can end the call
    finally:
        reading.cancel()
        await asyncio.wait([reading])  # nothing is begun any more
        if not reading.cancelled():
            reading.exception()  # of a stream that is gone it is no error
