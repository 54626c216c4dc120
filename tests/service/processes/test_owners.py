from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

pytest.importorskip("grpc")

from quedge.service.processes.owners import REST_S, Owners


class Processes:
    """Processes that give up what they do not use."""

    def __init__(self, *in_use: str) -> None:
        self.in_use, self.asked, self.now = set(in_use), list[tuple[int, str]](), 0.0

    async def release(self, process: int, name: str) -> bool:
        self.asked.append((process, name))
        return name not in self.in_use


def owners(processes: Processes, *names: str, most: int = 4) -> Owners:
    return Owners(names, 2, most, processes.release, lambda: processes.now)


async def acquired(them: Owners, process: int, name: str, begins: bool = True, moves: bool = True) -> int | None:
    return await them.acquire(process, name, begins, moves)


def run(test: Callable[[], object]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_cells_that_there_are_are_shared_out_by_their_order() -> None:
    async def test() -> None:
        them = owners(Processes(), "d", "a", "c", "b")
        assert them.share(0, again=False) == ["a", "c"]
        assert them.share(1, again=False) == ["b", "d"]

    run(test)


def test_a_cell_that_a_stream_wanted_first_is_in_nobodys_share() -> None:
    async def test() -> None:
        them = owners(Processes(), "a", "b")
        assert await acquired(them, 1, "a") == 1
        assert them.share(0, again=False) == []
        assert them.share(1, again=False) == ["b"]

    run(test)


def test_a_cell_follows_its_stream_unless_it_is_in_use() -> None:
    async def test() -> None:
        processes = Processes("a")
        them = owners(processes)
        assert await acquired(them, 0, "a") == 0
        assert await acquired(them, 1, "a") == 0
        processes.in_use.clear()
        assert await acquired(them, 1, "a") == 1
        assert processes.asked == [(0, "a"), (0, "a")]
        assert them.moves == 1

    run(test)


def test_a_question_moves_nothing_and_begins_nothing() -> None:
    async def test() -> None:
        processes = Processes()
        them = owners(processes)
        assert await acquired(them, 0, "a", begins=False, moves=False) is None
        assert await acquired(them, 0, "a") == 0
        assert await acquired(them, 1, "a", begins=False, moves=False) == 0
        assert processes.asked == []

    run(test)


def test_a_cell_that_has_moved_rests() -> None:
    async def test() -> None:
        processes = Processes()
        them = owners(processes, "a")
        assert await acquired(them, 0, "a") == 0
        assert await acquired(them, 1, "a") == 1
        assert await acquired(them, 0, "a") == 1
        processes.now += REST_S
        assert await acquired(them, 0, "a") == 0

    run(test)


def test_cells_of_all_processes_are_counted_together() -> None:
    async def test() -> None:
        them = owners(Processes(), "a", most=3)
        assert await acquired(them, 0, "b") == 0
        assert await acquired(them, 1, "c") == 1
        assert await acquired(them, 1, "d") is None
        assert await acquired(them, 1, "a") == 1

    run(test)


def test_what_a_process_had_that_is_gone_is_there_for_all_and_for_the_one_in_its_place() -> None:
    async def test() -> None:
        processes = Processes()
        them = owners(processes, "a", "b", "c")
        assert them.share(0, again=False) == ["a", "c"]
        assert them.share(1, again=False) == ["b"]
        them.ended(0)
        assert await acquired(them, 1, "c") == 1
        assert processes.asked == []
        assert them.share(0, again=True) == ["a"]

    run(test)


def test_a_cell_whose_process_ends_while_it_is_asked_is_taken_all_the_same() -> None:
    async def test() -> None:
        async def ends(process: int, name: str) -> bool:
            them.ended(process)
            return False

        them = Owners((), 2, 4, ends)
        assert await acquired(them, 0, "a") == 0
        assert await acquired(them, 1, "a") == 1

    run(test)


def test_of_two_that_want_a_cell_at_once_one_has_it() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def slow(process: int, name: str) -> bool:
            await gate.wait()
            return True

        them = Owners((), 3, 4, slow)
        assert await acquired(them, 0, "a") == 0
        both = [asyncio.create_task(acquired(them, process, "a")) for process in (1, 2)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*both) == [1, 1]  # it rests then

    run(test)
