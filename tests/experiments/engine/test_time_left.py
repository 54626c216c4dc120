from __future__ import annotations

import pytest

from quedge.experiments.engine.time_left import TimeLeft, told
from tests.experiments.jobs import Told, job


def test_nobody_knows_before_anything_has_run() -> None:
    assert TimeLeft({"a": job()}).seconds(1) is None


def test_cells_of_a_kind_are_expected_to_take_as_long() -> None:
    quick, slow = Told(), Told(takes_s=1.0)
    left = TimeLeft({"a": job(0, quick), "b": job(1, quick), "c": job(2, slow), "d": job(3, slow, frames=40)})
    left.ended("a", 1.0)
    left.ended("c", 10.0)
    assert left.seconds(1) == pytest.approx(1.0 + 20.0)
    assert left.seconds(2) == pytest.approx(10.5)
    left.ended("b", 1.0)
    left.ended("d", 20.0)
    assert left.seconds(1) == pytest.approx(0.0)


def test_what_runs_alone_is_not_divided_among_the_slots() -> None:
    left = TimeLeft({"a": job(0, Told(alone=True)), "b": job(1, Told(alone=True))})
    left.ended("a", 3.0)
    assert left.seconds(4) == pytest.approx(3.0)


def test_an_unknown_kind_is_expected_to_take_as_long_as_the_others() -> None:
    left = TimeLeft({"a": job(0, Told()), "b": job(1, Told(takes_s=1.0))})
    left.ended("a", 2.0)
    assert left.seconds(1) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (4.4, "4 s left"), (61.0, "1 min left"), (7200.0, "2.0 h left")]
)
def test_times_are_told_in_words(seconds: float | None, words: str) -> None:
    assert told(seconds) == words
