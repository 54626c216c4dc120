from __future__ import annotations

import pytest

from quedge.experiments.engine.workers import TimeLeft, time_left_text
from tests.experiments.jobs import Told, job


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(left: TimeLeft, name: str, elapsed_s: float | None) -> None:
    left.began(name)
    left.ended(name, elapsed_s)


def test_nobody_knows_before_anything_has_run() -> None:
    left = TimeLeft({"a": job(), "b": job()})
    assert left.seconds(1) is None
    left.began("a")
    assert left.seconds(1) is None


def test_cells_of_a_kind_are_expected_to_take_as_long() -> None:
    quick, slow = Told(), Told(takes_s=1.0)
    left = TimeLeft({"a": job(0, quick), "b": job(1, quick), "c": job(2, slow), "d": job(3, slow, frames=40)})
    run(left, "a", 1.0)
    run(left, "c", 10.0)
    assert left.seconds(1) == pytest.approx(1.0 + 20.0)
    run(left, "b", 1.0)
    run(left, "d", 20.0)
    assert left.seconds(1) == pytest.approx(0.0)


def test_cells_of_as_many_devices_are_the_best_to_go_by() -> None:
    jobs = {name: job(0, Told(), devices=devices) for name, devices in (("a", 2), ("b", 4), ("c", 4), ("d", 8))}
    left = TimeLeft(jobs)
    run(left, "a", 1.0)
    assert left.seconds(1) == pytest.approx(2.0 + 2.0 + 4.0)
    run(left, "b", 5.0)
    assert left.seconds(1) == pytest.approx(5.0 + 8.0)  # 6 s for 2 + 4 devices are 8 s for 8


def test_the_last_cells_are_not_divided_among_the_slots() -> None:
    left = TimeLeft({name: job(seed, Told()) for seed, name in enumerate("abcdef")})
    run(left, "a", 3.0)
    assert [left.seconds(slots) for slots in (1, 2, 3, 5, 9)] == pytest.approx([15.0, 9.0, 6.0, 3.0, 3.0])


def test_what_is_under_way_counts_with_what_it_still_needs() -> None:
    clock = Clock()
    left = TimeLeft({name: job(seed, Told()) for seed, name in enumerate("abcd")}, clock)
    run(left, "a", 4.0)
    left.began("b")
    clock.now = 1.0
    left.began("c")
    assert left.seconds(2) == pytest.approx(3.0 + 4.0)  # d begins when b has ended
    clock.now = 3.0
    assert left.seconds(2) == pytest.approx(1.0 + 4.0)
    clock.now = 50.0  # both take longer than was expected, and may end at any time
    assert left.seconds(2) == pytest.approx(4.0)
    left.began("b")  # its worker died, so it begins again
    assert left.seconds(2) == pytest.approx(4.0)


def test_what_runs_alone_is_not_divided_among_the_slots() -> None:
    left = TimeLeft({name: job(seed, Told(exclusive=True)) for seed, name in enumerate("abc")})
    run(left, "a", 3.0)
    assert left.seconds(4) == pytest.approx(6.0)


def test_an_unknown_kind_is_expected_to_take_as_long_as_the_others() -> None:
    left = TimeLeft({"a": job(0, Told()), "b": job(1, Told(takes_s=1.0))})
    run(left, "a", 2.0)
    assert left.seconds(1) == pytest.approx(2.0)


def test_a_cell_that_failed_says_nothing_of_the_others() -> None:
    left = TimeLeft({name: job(seed, Told()) for seed, name in enumerate("abc")})
    run(left, "a", None)
    assert left.seconds(1) is None
    run(left, "b", 2.0)
    assert left.seconds(1) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (4.4, "4 s left"), (61.0, "1 min left"), (7200.0, "2.0 h left")]
)
def test_times_are_told_in_words(seconds: float | None, words: str) -> None:
    assert time_left_text(seconds) == words
