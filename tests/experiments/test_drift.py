"""The drift of series whose drift is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from quedge.experiments.statistics import STRETCHES, drift_of

FRAMES = 5_000


def autoregressive(correlation: float, seed: int) -> NDArray[np.float64]:
    """A stationary series of unit variance, as correlated from one frame to the next."""
    noise = np.random.default_rng(seed).standard_normal(FRAMES + 3_000)
    series: NDArray[np.float64] = lfilter([1.0], [1.0, -correlation], noise)[3_000:]
    return series * np.sqrt(1.0 - correlation**2)


def test_a_line_grows_by_its_growth_over_its_mean() -> None:
    drift = drift_of(np.linspace(50.0, 150.0, FRAMES))
    assert drift is not None
    assert drift.share == pytest.approx(1.0, rel=1e-3)
    assert drift.margin == pytest.approx(0.0, abs=1e-9)


def test_the_drift_is_that_of_least_squares() -> None:
    values = 20.0 + autoregressive(0.9, 0)
    slope, _ = np.polyfit(np.arange(FRAMES), values, 1)
    drift = drift_of(values)
    assert drift is not None
    assert drift.share == pytest.approx(slope * FRAMES / values.mean(), rel=2e-2)


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.98, 0.99, 0.995, 0.998])
def test_series_without_a_trend_are_seldom_told_to_have_one(correlation: float) -> None:
    drifts = [drift_of(10.0 + autoregressive(correlation, seed)) for seed in range(400)]
    astray = sum(drift is not None and abs(drift.share) > drift.margin for drift in drifts)
    assert 0.02 * 400 <= astray <= 0.10 * 400  # 5 % are meant; an error for independent frames gives 40 to 95 %


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_a_trend_is_found_in_noise_that_is_correlated(correlation: float) -> None:
    trend = np.linspace(-2.0, 2.0, FRAMES)
    drifts = [drift_of(10.0 + trend + autoregressive(correlation, seed)) for seed in range(100)]
    found = [drift.share - drift.margin > 0.0 for drift in drifts if drift is not None]
    assert sum(found) > 90


def test_the_margin_holds_the_true_drift_as_often_as_it_says() -> None:
    trend = np.linspace(-1.0, 1.0, FRAMES)
    drifts = [drift_of(10.0 + trend + autoregressive(0.98, seed)) for seed in range(400)]
    held = sum(drift is not None and abs(drift.share - 0.2) <= drift.margin for drift in drifts)
    assert 0.90 * 400 <= held <= 0.99 * 400


def test_a_trend_that_bends_is_no_noise() -> None:
    bent = 100.0 * np.sqrt(np.linspace(1.0, 2.0, FRAMES)) + autoregressive(0.9, 1)
    drift = drift_of(bent)
    assert drift is not None
    assert drift.margin < 0.05 < 0.3 < drift.share


def test_an_empty_queue_does_not_drift_and_one_that_fills_does() -> None:
    assert drift_of(np.zeros(FRAMES)) == (0.0, 0.0)
    late = np.zeros(FRAMES)
    late[-1] = 1.0
    assert drift_of(late) is not None


def test_values_of_any_size_have_a_drift() -> None:
    for scale in (1e-300, 1e300):
        drift = drift_of(scale * np.linspace(1.0, 3.0, FRAMES))
        assert drift is not None
        assert drift.share == pytest.approx(1.0, rel=1e-3)


def test_fewer_frames_than_stretches_have_no_drift() -> None:
    assert drift_of(np.ones(STRETCHES - 1)) is None
    assert drift_of(np.ones(STRETCHES)) == (0.0, 0.0)
