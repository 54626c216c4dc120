"""Sentences of what was found."""

from __future__ import annotations

import pytest

from quedge.experiments.catalogue import EXPERIMENTS
from quedge.experiments.experiment import Experiment
from quedge.experiments.records import Records, Run
from quedge.experiments.results import (
    NotMeasuredError,
    Results,
    at,
    change,
    descending,
    listed,
    shortest_within_budget,
)


def record(scheme: str, nu: float, **measures: list[float]) -> Records:
    seeds = len(next(iter(measures.values())))
    runs = [Run(seed, "", {name: values[seed] for name, values in measures.items()}) for seed in range(seeds)]
    return Records({"nu": nu}, scheme, 10, runs)


FOUND = Results(
    [
        record("exact", 1.0, data_queue_mbit=[5.0, 7.0], power_w=[0.09, 0.09]),
        record("exact", 50.0, data_queue_mbit=[8.0, 9.0], power_w=[0.075, 0.077]),
        record("best-pair", 50.0, data_queue_mbit=[8.1, 8.3], power_w=[0.0, 0.0]),
    ]
)


def test_a_mean_is_over_the_seeds_of_the_variant_that_is_meant() -> None:
    assert FOUND.mean("data_queue_mbit", "exact", nu=1.0) == 6.0
    assert FOUND.each("data_queue_mbit", nu=50.0) == {"best-pair": pytest.approx(8.2), "exact": 8.5}


@pytest.mark.parametrize(
    ("measure", "policy", "keys"),
    [("data_queue_mbit", "exact", {}), ("data_queue_mbit", "other", {"nu": 1.0}), ("unheard", "exact", {"nu": 1.0})],
)
def test_what_is_not_there_or_not_clear_is_no_number(measure: str, policy: str, keys: dict[str, float]) -> None:
    with pytest.raises(NotMeasuredError, match=measure):
        FOUND.mean(measure, policy, **keys)


def test_numbers_are_listed_with_whose_they_are() -> None:
    numbers = {"a": 1.01, "b": 1.04, "SCA, compiled": 2_000.0}
    assert listed(numbers, ",.0f") == "a / b 1, SCA compiled 2,000"
    assert list(descending(numbers)) == ["SCA, compiled", "b", "a"]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (0.21, 0.15, "falls from 21.0 % to 15.0 %"),
        (0.1, 0.2, "rises from 10.0 % to 20.0 %"),
        (0.1, 0.1001, "stays at 10.0 %"),
    ],
)
def test_a_change_is_called_what_it_is(first: float, last: float, words: str) -> None:
    assert change((first, last), ".1%") == words


def test_keys_are_named_by_their_symbols() -> None:
    assert at(nu=1000.0, v=2.0) == "ν = 1,000, V = 2 Mbit"


def test_the_shortest_queue_is_looked_for_within_the_budget() -> None:
    found = shortest_within_budget(FOUND, "exact", 0.08)
    assert found is not None
    assert found[0] == {"nu": 50.0}
    assert found[1:] == (8.5, pytest.approx(0.076))
    assert shortest_within_budget(FOUND, "exact", 0.01) is None


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_every_experiment_says_what_it_found_and_nothing_where_nothing_was(experiment: Experiment) -> None:
    assert experiment.result is not None
    with pytest.raises(NotMeasuredError):
        experiment.result(Results([]))
