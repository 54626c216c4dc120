"""The paper's numbers, against a few read from its tables by hand."""

from __future__ import annotations

from quedge.experiments.paper_numbers import (
    arrival_rate_marks,
    by_line,
    figure7_marks,
    table2_marks,
    table3_marks,
    table4_marks,
)
from quedge.experiments.presentation import Mark


def test_marks_are_the_papers_numbers() -> None:
    assert Mark("SCA, CVXPY", 35.0, "time_us", 7210.54) in table2_marks()
    assert Mark("NOMA, greedy", 10.0, "time_us", 73.86) in table2_marks()
    assert Mark("lydroo-noma", 50.0, "data_queue_mbit", 15.128) in table3_marks()
    assert Mark("lydroo-noma", 1000.0, "energy_queue", 174.369) in table4_marks()
    assert (len(table2_marks()), len(table3_marks()), len(table4_marks())) == (18, 20, 20)


def test_what_figure_7_does_not_give_has_no_mark() -> None:
    assert figure7_marks() == [
        Mark("lydroo-noma", 0.0, "offload_ratio", 0.256),
        Mark("lydroo-noma", 0.0, "power_w", 0.0771),
        Mark("lydroo-noma", 0.1, "offload_ratio", 0.169),
    ]


def test_what_the_text_says_of_all_of_figure_5_has_no_place() -> None:
    assert {(mark.line, mark.x) for mark in arrival_rate_marks(4)} == {
        ("lydroo-noma", 2.0), ("lydroo-sca", 2.0), ("lydroo-tdma", 2.0)
    }  # fmt: skip
    assert arrival_rate_marks(5) == [Mark("lydroo-noma", None, "weighted_rate_mbps", 40.0)]


def test_marks_can_belong_to_a_line_by_their_key() -> None:
    assert by_line(table3_marks())[0] == Mark("1", None, "data_queue_mbit", 10.752)
