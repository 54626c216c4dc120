from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from quedge.experiments.reading.estimates import estimate


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
