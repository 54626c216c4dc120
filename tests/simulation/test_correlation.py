"""Correlated channels: what is drawn against what theory says, within five standard errors of the number of draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0

from quedge.model.cell import path_gain
from quedge.model.scenario import Scenario
from quedge.simulation.processes import RicianFading, bessel_j0, fading_correlation, gauss_markov, shadowing_correlation

MANY = 40_000  # devices: each is a draw of its own
SURE = 5.0  # standard errors


def fading(frames: int, seed: int = 0, **keys: object) -> np.ndarray:
    """Power gains over the path gain, shape (frames, MANY)."""
    scenario = Scenario(devices=MANY, **keys)
    return RicianFading().sample(scenario, frames, np.random.default_rng(seed)) / path_gain(scenario)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_without_doppler_and_shadowing_the_fading_is_the_paper_s_bit_for_bit() -> None:
    scenario = Scenario(devices=3)
    x, y = np.sqrt((1.0 - 0.3) / 2.0) * np.random.default_rng(4).standard_normal((2, 50, 3))
    expected = path_gain(scenario) * ((np.sqrt(0.3) + x) ** 2 + y**2)
    np.testing.assert_array_equal(RicianFading().sample(scenario, 50, np.random.default_rng(4)), expected)


@pytest.mark.parametrize("product", [0.0, 0.05, 0.3827, 0.5, 3.7])
def test_the_correlation_of_two_frames_is_the_bessel_function_by_its_integral(product: float) -> None:
    expected = quad(lambda angle: np.cos(2.0 * np.pi * product * np.sin(angle)), 0.0, np.pi)[0] / np.pi
    scenario = Scenario(devices=1, frame_s=0.5, doppler_hz=2.0 * product)
    np.testing.assert_allclose(fading_correlation(scenario), expected, atol=1e-9)


def test_the_bessel_function_is_scipy_s_to_rounding() -> None:
    x = np.concatenate([np.linspace(0.0, 150.0, 30_001), np.geomspace(150.0, 1e3, 1_000)])
    np.testing.assert_allclose(bessel_j0(x), j0(x), rtol=0.0, atol=1e-14)
    assert bessel_j0(np.array(0.0)) == 1.0


@pytest.mark.parametrize(
    ("x", "expected"),  # to 40 digits by mpmath's besselj
    [(100.0, 0.019985850304223122), (1e9, 2.4687471886269195e-05), (6e12, 6.109693581941441e-09)],
)
def test_the_bessel_function_holds_for_the_largest_arguments_that_a_scenario_allows(x: float, expected: float) -> None:
    assert bessel_j0(np.array([x]))[0] == pytest.approx(expected, abs=1e-15)


def test_without_a_doppler_frequency_nothing_of_a_frame_is_left_in_the_next() -> None:
    np.testing.assert_array_equal(fading_correlation(Scenario()), np.zeros(10))


@pytest.mark.parametrize("doppler_hz", [0.05, 0.15, 0.55])
@pytest.mark.parametrize("lag", [1, 2, 7])
def test_the_field_correlates_by_jakes_from_frame_to_frame_and_geometrically_beyond(
    doppler_hz: float, lag: int
) -> None:
    power = fading(9, doppler_hz=doppler_hz, line_of_sight_share=0.0)
    rho = fading_correlation(Scenario(devices=1, doppler_hz=doppler_hz))[0] ** lag
    # of Rayleigh fading |h|² correlates by ρ²; its sample correlation spreads by less than 3 / √n (kurtosis 9)
    for first in (0, 1):  # from the first frame on
        assert abs(correlation(power[first], power[first + lag]) - rho**2) < SURE * 3.0 / np.sqrt(MANY)


def test_a_negative_correlation_turns_the_field_round() -> None:
    rho = fading_correlation(Scenario(devices=1, doppler_hz=0.55))[0]
    assert rho < -0.3
    field = gauss_markov(np.random.default_rng(1).standard_normal((3, MANY)), np.full(MANY, rho))
    assert abs(correlation(field[0], field[1]) - rho) < SURE / np.sqrt(MANY)
    assert abs(correlation(field[0], field[2]) - rho**2) < SURE / np.sqrt(MANY)


@pytest.mark.parametrize("doppler_hz", [None, 0.05, 0.3])
def test_the_moments_are_rician_in_every_frame_whatever_the_doppler(doppler_hz: float | None) -> None:
    share = 0.3
    power = fading(30, doppler_hz=doppler_hz, line_of_sight_share=share)
    variance = (1.0 - share) ** 2 + 2.0 * share * (1.0 - share)
    for frame in (0, 1, 29):
        assert abs(power[frame].mean() - 1.0) < SURE * np.sqrt(variance / MANY)
        # the fourth central moment of Rayleigh fading, 9, bounds that of Rician fading
        assert abs(power[frame].var() - variance) < SURE * np.sqrt((9.0 - variance**2) / MANY)


def test_a_doppler_of_zero_keeps_a_channel_for_ever_and_each_device_has_its_own() -> None:
    scenario = Scenario(devices=2, doppler_hz=[0.0, 0.3])
    gain = RicianFading().sample(scenario, 40, np.random.default_rng(0))
    np.testing.assert_array_equal(gain[:, 0], gain[0, 0])
    assert np.unique(gain[:, 1]).size == 40


def shadowing_in_db(frames: int, **keys: object) -> np.ndarray:
    return 10.0 * np.log10(fading(frames, **keys) / fading(frames))


def test_shadowing_has_its_deviation_in_db_and_keeps_the_median() -> None:
    shadowing = shadowing_in_db(6, shadowing_db=7.0, shadowing_decorrelation_s=3.0)
    for frame in (0, 5):
        assert abs(shadowing[frame].mean()) < SURE * 7.0 / np.sqrt(MANY)
        assert abs(np.median(shadowing[frame])) < SURE * 1.2534 * 7.0 / np.sqrt(MANY)
        assert abs(shadowing[frame].std() - 7.0) < SURE * 7.0 / np.sqrt(2.0 * MANY)


def test_shadowing_falls_to_1_over_e_in_its_decorrelation_time() -> None:
    shadowing = shadowing_in_db(6, shadowing_db=7.0, shadowing_decorrelation_s=3.0)
    for first in (0, 2):
        assert abs(correlation(shadowing[first], shadowing[first + 3]) - np.exp(-1.0)) < SURE / np.sqrt(MANY)
        assert abs(correlation(shadowing[first], shadowing[first + 1]) - np.exp(-1.0 / 3.0)) < SURE / np.sqrt(MANY)
    at_once = shadowing_in_db(2, shadowing_db=7.0, shadowing_decorrelation_s=0.0)
    assert abs(correlation(at_once[0], at_once[1])) < SURE / np.sqrt(MANY)
    np.testing.assert_array_equal(shadowing_correlation(Scenario(devices=1, shadowing_decorrelation_s=0.0)), [0.0])


def test_doppler_and_shadowing_do_not_move_each_other_s_random_numbers() -> None:
    plain, moving = fading(3), fading(3, doppler_hz=0.1)
    keys = {"shadowing_db": 6.0}
    np.testing.assert_allclose(fading(3, **keys) / plain, fading(3, doppler_hz=0.1, **keys) / moving, rtol=1e-12)
    np.testing.assert_array_equal(plain[0], moving[0])  # the first frame has no past
