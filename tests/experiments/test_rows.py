"""From findings to the numbers of figures and tables."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from quedge.experiments.job import Series
from quedge.experiments.presentation import (
    HIGHER,
    LOWER,
    Mark,
    Measure,
    ParetoFront,
    Ranking,
    Sweep,
    SweepsBeside,
    Table,
    TimeSeries,
)
from quedge.experiments.records import BOLD_RULE, SETTLED_RULE, Records, Run
from quedge.experiments.rows import (
    OURS,
    PAPER,
    cells_text,
    csv_text,
    figure_header,
    figure_rows,
    label_of,
)
from quedge.experiments.tables import markdown_of, table_rows

QUEUE, POWER = Measure("queue", "queue (Mbit)"), Measure("power", "power (W)")


def record(scheme: str, nu: float, *queues: float, frames: int = 100) -> Records:
    course = Series(np.array([50.0, 100.0]), np.array([1.0, nu]))
    runs = [
        Run(seed, f"cell{seed}", {"queue": queue, "power": queue / 100.0, "queue_over_time": course})
        for seed, queue in enumerate(queues)
    ]
    return Records({"nu": nu}, scheme, frames, runs)


RECORDS = [record("exact", 50.0, 8.0, 10.0), record("exact", 100.0, 20.0), record("pair", 50.0, 9.0)]


def test_a_sweep_has_a_row_a_variant_policy_and_measure_and_the_papers_marks() -> None:
    marks = [Mark("exact", 50.0, "queue", 15.0), Mark("exact", 50.0, "unseen", 1.0)]
    rows = figure_rows(Sweep("nu", [QUEUE, POWER], marks=marks), RECORDS)
    assert [(row.x, row.line, row.measure, row.value) for row in rows] == [
        (50.0, "exact", "queue", 9.0), (50.0, "exact", "power", pytest.approx(0.09)), (100.0, "exact", "queue", 20.0),
        (100.0, "exact", "power", 0.2), (50.0, "pair", "queue", 9.0), (50.0, "pair", "power", 0.09),
        (50.0, "exact", "queue", 15.0),
    ]  # fmt: skip
    assert [row.source for row in rows] == [OURS] * 6 + [PAPER]
    # two values, 8 and 10: half the interval is t(0.975, 1) = 12.706 times the standard error, 1
    assert rows[0].high - rows[0].value == pytest.approx(12.7062, rel=1e-5)
    assert rows[0].seeds == 2
    assert math.isnan(rows[2].high)


def test_sweeps_beside_each_other_show_each_variant_where_its_key_has_a_place() -> None:
    variants = [{"a": None, "b": 0.0}, {"a": 2.0, "b": 0.0}, {"a": None, "b": 0.1}]
    records = [one._replace(variant=variant) for one, variant in zip(RECORDS, variants, strict=True)]
    columns = [Sweep("a", [QUEUE], only={"b": 0.0}), Sweep("b", [QUEUE], only={"a": None})]
    figure = SweepsBeside(columns)
    assert [(row.x, row.value) for row in figure_rows(figure, records)] == [
        (("a", 2.0), 20.0), (("b", 0.0), 9.0), (("b", 0.1), 9.0)
    ]  # fmt: skip
    logarithmic = SweepsBeside([columns[0], Sweep("b", [QUEUE], only={"a": None}, logarithmic=True)])
    assert [row.x for row in figure_rows(logarithmic, records)] == [("a", 2.0), ("b", 0.1)]
    assert figure_header(figure) == ("key", "value", "policy")
    assert csv_text(figure_header(figure), figure_rows(figure, records)).splitlines()[1].startswith("a,2.0,exact,queue")


def test_a_sweep_shows_only_the_variants_that_it_is_told_to() -> None:
    records = [one._replace(variant={**one.variant, "suite": suite}) for suite in ("a", "b") for one in RECORDS]
    shown = figure_rows(Sweep("nu", [QUEUE], only={"suite": "b", "nu": 50.0}), records)
    assert [(row.line, row.value) for row in shown] == [("exact", 9.0), ("pair", 9.0)]


def test_names_stand_for_themselves_in_the_names_of_lines_and_numbers_with_their_key() -> None:
    named = RECORDS[0]._replace(variant={"nu": 50.0, "suite": "level3"})
    (row,) = figure_rows(Sweep("nu", [QUEUE], lines=("suite", "nu")), [named])
    assert row.line == "level3, nu = 50"


def timed(*runs: dict[str, float]) -> Records:
    return Records({"nu": 1.0}, "exact", 30, [Run(seed, f"cell{seed}", run) for seed, run in enumerate(runs)])


def test_times_are_medians_with_the_quartiles_of_their_runs() -> None:
    records = [timed(*({"us": us, "us_p25": us - 1.0, "us_p75": us + 40.0} for us in (9.0, 5.0, 90.0)))]
    (row,) = figure_rows(Sweep("nu", [Measure("us", "time (µs)", quartiles=True)]), records)
    assert (row.value, row.low, row.high, row.interval, row.seeds) == (9.0, 8.0, 49.0, "quartiles", 3)
    assert (math.isnan(row.difference), row.reference) == (True, "")
    table = Table([("nu", "ν")], [Measure("us", "time (µs)", digits=1, quartiles=True)])
    assert markdown_of(table, table_rows(table, records)).splitlines()[2] == "| 1 | exact | 9.0 (8.0 to 49.0) |"
    assert "quartiles" in csv_text(("nu", "policy"), table_rows(table, records))


def test_the_quartiles_of_a_median_are_found_by_its_own_name() -> None:
    records = [timed({"us_p50": 5.0, "us_p25": 4.0, "us_p75": 7.0})]
    (row,) = figure_rows(Sweep("nu", [Measure("us_p50", "time (µs)", quartiles=True)]), records)
    assert (row.value, row.low, row.high) == (5.0, 4.0, 7.0)


def test_times_without_quartiles_of_their_own_have_those_over_the_seeds() -> None:
    sweep = Sweep("nu", [Measure("s", "time (s)", quartiles=True)])
    (row,) = figure_rows(sweep, [timed({"s": 1.0}, {"s": 2.0}, {"s": 9.0})])
    assert (row.value, row.low, row.high, row.interval) == (2.0, 1.5, 5.5, "quartiles")
    (row,) = figure_rows(sweep, [timed({"s": 1.0})])
    assert (row.value, math.isnan(row.high), row.interval) == (1.0, True, "")


def test_lines_can_stand_for_several_keys() -> None:
    sweep = Sweep("nu", [QUEUE], lines=("policy", "nu"))
    assert {row.line for row in figure_rows(sweep, RECORDS)} == {"exact, nu = 50", "exact, nu = 100", "pair, nu = 50"}
    assert figure_header(sweep) == ("nu", "policy and nu")


def test_a_course_has_a_row_a_place() -> None:
    rows = figure_rows(TimeSeries([QUEUE], lines="nu"), RECORDS[:2])
    assert [(row.x, row.line, row.value) for row in rows] == [
        (50.0, "50", 1.0), (100.0, "50", 50.0), (50.0, "100", 1.0), (100.0, "100", 100.0)
    ]  # fmt: skip


def test_close_values_are_different_lines() -> None:
    near = [record("exact", 2000000.0, 1.0), record("exact", 2000001.0, 2.0)]
    assert {row.line for row in figure_rows(TimeSeries([QUEUE], lines="nu"), near)} == {"2000000", "2000001"}


def test_a_ranking_has_no_axis_and_a_front_has_both_measures() -> None:
    assert {row.x for row in figure_rows(Ranking([QUEUE]), RECORDS)} == {None}
    front = ParetoFront(POWER, QUEUE, "nu", "policy", (50.0, 0.0), "here", (0.0, 1.0))
    assert len(figure_rows(front, RECORDS)) == 6


def test_measures_that_were_not_found_have_no_row() -> None:
    assert figure_rows(Sweep("nu", [Measure("unheard", "of")]), RECORDS) == []


def test_a_table_puts_the_papers_row_first_and_keys_in_order() -> None:
    table = Table(
        [("nu", "ν")],
        [Measure("queue", "queue", digits=1), Measure("power", "power", digits=3)],
        [Mark("exact", 100.0, "queue", 27.7), Mark("exact", 1.0, "queue", 10.8)],
    )
    text = markdown_of(table, table_rows(table, RECORDS))
    assert text.splitlines() == [
        "| ν | policy | queue | power |",
        "| --- | --- | ---: | ---: |",
        "| 1 | the paper: exact | 10.8 | - |",
        "| 50 | exact | 9.0 ± 12.7 | 0.090 ± 0.127 |",
        "| 50 | pair | 9.0 | 0.090 |",
        "| 100 | the paper: exact | 27.7 | - |",
        "| 100 | exact | 20.0 | 0.200 |",
    ]


def test_csv_reads_back_as_the_numbers() -> None:
    rows = figure_rows(Sweep("nu", [QUEUE]), RECORDS)
    lines = list(csv.DictReader(io.StringIO(csv_text(("nu", "policy"), rows))))
    assert [(float(line["nu"]), line["policy"], float(line["value"])) for line in lines] == [
        (50.0, "exact", 9.0), (100.0, "exact", 20.0), (50.0, "pair", 9.0)
    ]  # fmt: skip
    assert (lines[0]["seeds"], lines[0]["frames"], lines[0]["source"]) == ("2", "100", "quedge")
    assert (lines[0]["interval"], lines[1]["interval"], lines[1]["low"]) == ("ci95", "", "")


def test_csv_of_a_table_has_a_column_a_key() -> None:
    table = Table([("nu", "ν")], [Measure("queue", "queue", digits=1)])
    text = csv_text(("nu", "policy"), table_rows(table, RECORDS))
    assert text.splitlines()[1].startswith("50.0,exact,queue,9.0,")


def test_csv_has_the_difference_to_the_reference_at_the_same_setting() -> None:
    pair = record("pair", 50.0, 7.0, 9.5)
    lines = list(
        csv.DictReader(io.StringIO(csv_text(("nu", "policy"), figure_rows(Sweep("nu", [QUEUE]), [pair, *RECORDS[:2]]))))
    )
    assert [line["reference"] for line in lines] == ["exact", "", ""]
    # -1 and -0.5: half the interval is t(0.975, 1) = 12.706 times the standard error, 0.25
    found = [float(lines[0][name]) for name in ("difference", "difference_low", "difference_high")]
    assert found == pytest.approx([-0.75, -0.75 - 3.17655, -0.75 + 3.17655], abs=1e-4)
    assert lines[1]["difference"] == ""


def test_the_first_policy_is_the_reference_where_exact_is_missing_and_one_seed_has_no_interval() -> None:
    first, second = figure_rows(Sweep("nu", [QUEUE]), [record("one", 1.0, 5.0), record("two", 1.0, 7.0)])
    assert (first.reference, second.reference, second.difference) == ("", "one", 2.0)
    assert math.isnan(second.difference_low)


def test_runs_of_other_lengths_are_not_compared() -> None:
    shorter = record("pair", 50.0, 1.0, 1.1, frames=50)
    rows = table_rows(COMPARED, [RECORDS[0], shorter])
    assert [(row.reference, row.best) for row in rows] == [("", False)] * 4


def test_a_course_has_its_differences_place_by_place() -> None:
    rows = figure_rows(TimeSeries([QUEUE]), [record("exact", 5.0, 1.0, 1.0), record("pair", 5.0, 1.0, 1.0)])
    assert [(row.line, row.reference, row.difference) for row in rows[2:]] == [("pair", "exact", 0.0)] * 2


COMPARED = Table(
    [("nu", "ν")], [Measure("queue", "queue", digits=1, better=LOWER), Measure("power", "power", digits=3)]
)


def bold(*records: Records, table: Table = COMPARED) -> list[str]:
    return [line for line in markdown_of(table, table_rows(table, records)).splitlines() if "**" in line]


def test_bold_is_what_is_better_than_all_others_seed_by_seed() -> None:
    """Means 15.0, 15.3 and 25: the intervals overlap by far, those of the differences exclude 0."""
    first = record("one", 1.0, 5.0, 15.0, 25.0)
    second = record("two", 1.0, 5.31, 15.3, 25.29)
    assert bold(first, second, record("three", 1.0, 10.0, 25.0, 40.0)) == []  # -5, -10, -15 ± 12.4
    assert bold(first, second, record("three", 1.0, 15.0, 25.0, 36.0)) == [
        "| 1 | one | **15.0 ± 24.8** | 0.150 ± 0.248 |"
    ]
    higher = Table([("nu", "ν")], [Measure("queue", "queue", digits=1, better=HIGHER)])
    assert bold(first, second, table=higher) == ["| 1 | two | **15.3 ± 24.8** |"]


def test_the_least_mean_alone_is_not_bold() -> None:
    assert bold(record("one", 1.0, 5.0, 15.0), record("two", 1.0, 6.0, 15.5)) == []


def test_with_one_seed_or_one_policy_nothing_is_bold() -> None:
    assert bold(record("one", 1.0, 5.0), record("two", 1.0, 50.0)) == []
    assert bold(record("one", 1.0, 5.0, 5.0)) == []
    assert bold(record("one", 1.0, 5.0, 5.0), record("one", 2.0, 50.0, 50.0)) == []  # another setting


def test_policies_that_are_alike_share_no_prize() -> None:
    assert bold(record("one", 1.0, 5.0, 6.0), record("two", 1.0, 5.0, 6.0)) == []


def test_what_bold_means_stands_below_a_table_that_has_some() -> None:
    with_bold = [record("one", 1.0, 5.0, 6.0), record("two", 1.0, 15.0, 16.0)]
    assert BOLD_RULE in markdown_of(COMPARED, table_rows(COMPARED, with_bold))
    assert BOLD_RULE not in markdown_of(COMPARED, table_rows(COMPARED, with_bold[:1]))
    assert markdown_of(COMPARED, table_rows(COMPARED, with_bold), ["A note."]).index("A note.") > 0


def test_a_queue_is_followed_by_whether_it_has_settled() -> None:
    def drifting(scheme: str, queue: float, share: float) -> Records:
        runs = [
            Run(seed, "", {"queue": queue + seed, "queue_drift": share + 0.001 * seed, "queue_drift_margin": 0.01})
            for seed in range(3)
        ]
        return Records({"nu": 1.0}, scheme, 100, runs)

    grows, settled = drifting("one", 1.0, 0.3), drifting("two", 9.0, 0.02)
    lines = markdown_of(COMPARED, table_rows(COMPARED, [grows, settled])).splitlines()
    assert lines[0] == "| ν | policy | queue | settled | power |"
    assert lines[1] == "| --- | --- | ---: | --- | ---: |"
    assert [line.split(" | ")[3] for line in lines[2:4]] == ["grows", "settled"]
    assert SETTLED_RULE in lines
    assert bold(grows, settled) == []  # a queue that grows is not the best, however short it is so far
    assert bold(settled._replace(scheme="three"), drifting("two", 19.0, 0.3))[0].startswith("| 1 | three | **10.0")
    written = list(csv.DictReader(io.StringIO(csv_text(("nu", "policy"), table_rows(COMPARED, [grows, settled])))))
    assert [line["settled"] for line in written] == ["grows", "settled"]


def test_every_cell_has_a_line_with_all_its_numbers() -> None:
    lines = list(csv.DictReader(io.StringIO(cells_text(RECORDS))))
    assert [(line["nu"], line["policy"], line["seed"], line["queue"]) for line in lines] == [
        ("50.0", "exact", "0", "8.0"), ("50.0", "exact", "1", "10.0"), ("100.0", "exact", "0", "20.0"),
        ("50.0", "pair", "0", "9.0"),
    ]  # fmt: skip
    assert lines[0]["cell"] == "cell0"


def test_a_measure_that_is_a_key_has_one_column() -> None:
    run = Run(0, "cell", {"devices": 10.0, "queue": 1.0})
    (heading, _) = cells_text([Records({"devices": 10}, "exact", 5, [run])]).splitlines()
    assert heading == "devices,policy,seed,frames,cell,queue"


@pytest.mark.parametrize(("value", "label"), [(50.0, "50"), (0.02, "0.02"), (10, "10"), ((1.0, 2.0), "(1.0, 2.0)")])
def test_a_value_is_named_shortly(value: object, label: str) -> None:
    assert label_of(value) == label
