from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from quedge.simulation.estimates import estimate, paired_difference


def test_the_interval_is_students() -> None:
    values = [8.5, 9.3, 8.9, 8.9, 9.1]
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    found = estimate(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.values == 5


def test_the_interval_is_students_for_any_number_of_values() -> None:
    for count in (*range(2, 40), 1_000, 1_001, 10_000):
        values = np.arange(count, dtype=float)
        low, high = stats.t.interval(0.95, count - 1, np.mean(values), stats.sem(values))
        found = estimate(values.tolist())
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_a_single_value_has_no_interval() -> None:
    found = estimate([3.0])
    assert found.mean == 3.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_difference_is_paired_over_the_seeds() -> None:
    one, other = {0: 10.0, 1: 20.0, 2: 30.5}, {2: 29.0, 1: 19.0, 0: 8.0}
    found = paired_difference(one, other)
    assert found is not None
    low, high = stats.ttest_rel([10.0, 20.0, 30.5], [8.0, 19.0, 29.0]).confidence_interval()
    assert found == pytest.approx((1.5, low, high, 3))
    assert found.low > 0.0 > estimate([10.0, 20.0, 30.5]).low - estimate([8.0, 19.0, 29.0]).high


def test_a_difference_is_over_the_seeds_that_both_have() -> None:
    assert paired_difference({0: 1.0, 1: 5.0}, {1: 2.0, 2: 9.0})[0] == 3.0  # type: ignore[index]
    assert paired_difference({0: 1.0}, {1: 2.0}) is None
