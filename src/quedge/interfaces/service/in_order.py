"""A stream whose requests are begun as they come and answered in order, so that those that wait are seen to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from quedge.interfaces.service.calls import EndedError

Q = TypeVar("Q")
A = TypeVar("A")

MOST_OWED = 64
"""Answers that a stream may owe; beyond it no more is read, and its client has to wait."""


async def in_order(
    requests: AsyncIterator[Q], begin: Callable[[Q], asyncio.Future[A]], write: Callable[[A], Awaitable[None]]
) -> None:
    """Answer requests until there are no more.

    Args:
        requests: what is asked, as it comes.
        begin: called with each request as soon as it is there, though earlier ones have no answer yet; gives the answer
            to come.
        write: sends an answer.

    Raises:
        EndedError: `requests` raised it; all that came before is answered.
    """
    owed: asyncio.Queue[asyncio.Future[A] | None] = asyncio.Queue(MOST_OWED)
    owing, ending = 0, None

    async def tell() -> None:
        nonlocal owing
        while (answer := await owed.get()) is not None:
            await write(await answer)
            owing -= 1

    async with asyncio.TaskGroup() as both:
        both.create_task(tell())
        try:
            async for request in requests:
                answer = begin(request)
                if owing == 0 and answer.done():  # it goes out at once: to hand it over takes longer
                    await write(answer.result())
                    continue
                owing += 1
                await owed.put(answer)
        except EndedError as ended:
            ending = ended
        await owed.put(None)
    if ending is not None:
        raise ending


def there(answer: A) -> asyncio.Future[A]:
    """An answer that need not be waited for."""
    future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
    future.set_result(answer)
    return future


def settle(answer: asyncio.Future[A], make: Callable[[], A]) -> None:
    """Make an answer that is waited for; a mistake in making it is what whoever waits gets, rather than nothing."""
    try:
        made = make()
    except Exception as mistake:
        if not answer.done():
            answer.set_exception(mistake)
    else:
        if not answer.done():  # its stream may be gone
            answer.set_result(made)
