"""Quantisers against their definitions, written down on x̂ itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quedge.policy.lydroo.quantiser import (
    NearestNeighbours,
    NoisyCopy,
    NoisyOrderPreserving,
    OrderPreserving,
    Quantiser,
)

QUANTISERS = (OrderPreserving(), NoisyOrderPreserving(), NoisyOrderPreserving(noise=0.1), NearestNeighbours())

every_quantiser = pytest.mark.parametrize("quantiser", QUANTISERS, ids=repr)


@st.composite
def logits_and_counts(draw: st.DrawFn, most: int = 8) -> tuple[np.ndarray, int]:
    """Logits, with ties now and then, and a number of candidates."""
    devices = draw(st.integers(1, most))
    number = st.integers(-40, 40).map(lambda tenth: tenth / 10.0)
    logits = np.array(draw(st.lists(number, min_size=devices, max_size=devices)))
    return logits, draw(st.integers(1, devices))


def relaxed(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))


def by_definition(entries: np.ndarray, count: int) -> list[list[bool]]:
    """Order-preserving candidates as DROO defines them, on x̂."""
    candidates = [[bool(entry > 0.5) for entry in entries]]
    nearest = sorted(range(entries.size), key=lambda i: abs(entries[i] - 0.5))
    for k in range(count - 1):
        threshold = entries[nearest[k]]
        candidates.append([bool(entry > threshold or (entry == threshold and threshold <= 0.5)) for entry in entries])
    return candidates


def without_repetition(candidates: list[list[bool]]) -> list[list[bool]]:
    return [candidate for k, candidate in enumerate(candidates) if candidate not in candidates[:k]]


@given(case=logits_and_counts())
def test_order_preserving_candidates_are_those_of_the_definition(case: tuple[np.ndarray, int]) -> None:
    logits, count = case
    entries = relaxed(logits)
    distances = np.sort(np.abs(entries - 0.5))
    # at equal distance on both sides of 0.5 either may come first: there the definition on rounded x̂ is no yardstick
    assume((np.diff(distances) > 1e-9).all())
    offload, _ = OrderPreserving().quantise(logits, count, np.random.default_rng(0))
    assert offload.tolist() == without_repetition(by_definition(entries, count))


NOISY_COPIES = {
    NoisyCopy.SIGMOID: lambda logits, noise: relaxed(relaxed(logits) + noise),
    NoisyCopy.RELAXED: lambda logits, noise: relaxed(logits) + noise,
    NoisyCopy.LOGIT: lambda logits, noise: relaxed(logits + noise),
}


@pytest.mark.parametrize("copy", NOISY_COPIES)
@given(case=logits_and_counts(), seed=st.integers(0, 1000))
def test_noisy_candidates_are_those_of_the_relaxed_decision_and_of_its_noisy_copy(
    copy: NoisyCopy, case: tuple[np.ndarray, int], seed: int
) -> None:
    logits, count = case
    noise = 0.7 * np.random.default_rng(seed).standard_normal(logits.size)
    noisy = NOISY_COPIES[copy](logits, noise)
    assume((np.diff(np.sort(np.abs(relaxed(logits) - 0.5))) > 1e-9).all())
    assume((np.diff(np.sort(np.abs(noisy - 0.5))) > 1e-9).all())
    offload, _ = NoisyOrderPreserving(0.7, copy).quantise(logits, count, np.random.default_rng(seed))
    expected = without_repetition(by_definition(relaxed(logits), count) + by_definition(noisy, count))
    assert offload.tolist() == expected


def test_a_sure_actor_still_explores_unless_the_noise_is_on_its_logits() -> None:
    """All devices are sure to stay local: noise on x̂ brings other decisions, noise on the logits hardly any."""
    logits, rng = np.full(10, -12.0), np.random.default_rng(0)
    sure, drawn = {}, 200
    for copy in NoisyCopy:
        first = [NoisyOrderPreserving(1.0, copy).quantise(logits, 1, rng).offload for _ in range(drawn)]
        sure[copy] = sum(len(offload) == 1 for offload in first) / drawn
    assert sure[NoisyCopy.LOGIT] == 1.0
    assert max(sure[NoisyCopy.SIGMOID], sure[NoisyCopy.RELAXED]) < 0.2


@given(case=logits_and_counts())
def test_nearest_neighbours_are_those_of_a_full_list(case: tuple[np.ndarray, int]) -> None:
    logits, count = case
    entries = relaxed(logits)
    offload, place = NearestNeighbours().quantise(logits, count, np.random.default_rng(0))
    distance = ((offload - entries) ** 2).sum(axis=1)
    everyone = np.array(list(itertools.product((False, True), repeat=logits.size)))
    nearest = np.sort(((everyone - entries) ** 2).sum(axis=1))[:count]
    np.testing.assert_allclose(distance, nearest, atol=1e-12)  # at equal distance either may come first
    assert place.tolist() == list(range(len(offload)))


@every_quantiser
@given(case=logits_and_counts())
def test_no_two_candidates_are_alike_and_the_first_rounds_the_relaxed_decision(
    quantiser: Quantiser, case: tuple[np.ndarray, int]
) -> None:
    logits, count = case
    offload, place = quantiser.quantise(logits, count, np.random.default_rng(1))
    assert len({tuple(candidate) for candidate in offload.tolist()}) == len(offload)
    assert offload[0].tolist() == (logits > 0.0).tolist()
    assert len(place) == len(offload)
    assert place[0] == 0
    assert (place < count).all()
    assert len(offload) <= (2 * count if isinstance(quantiser, NoisyOrderPreserving) else count)


@given(case=logits_and_counts())
def test_order_preserving_candidates_keep_the_order_of_the_entries(case: tuple[np.ndarray, int]) -> None:
    logits, count = case
    for candidate in OrderPreserving().quantise(logits, count, np.random.default_rng(0)).offload:
        assert all(candidate[i] or not candidate[j] for i, j in itertools.permutations(range(logits.size), 2)
                   if logits[i] > logits[j])  # fmt: skip


def test_thresholds_where_the_relaxed_decision_rounds_to_one_still_tell_the_entries_apart() -> None:
    logits = np.array([60.0, 50.0, 40.0, -55.0])  # x̂ rounds to 1, 1, 1 and 0
    offload, _ = OrderPreserving().quantise(logits, 4, np.random.default_rng(0))
    assert offload.tolist() == [
        [True, True, True, False],
        [True, True, False, False],
        [True, False, False, False],
        [True, True, True, True],
    ]


def test_a_hand_laid_example() -> None:
    # x̂ = 0.2, 0.4, 0.75, 0.9: closest to 0.5 are 0.4, then 0.75, then 0.2; flipping costs 0.6, 0.2, 0.5, 0.8
    logits = np.log(np.array([0.2, 0.4, 0.75, 0.9]) / np.array([0.8, 0.6, 0.25, 0.1]))
    offload, place = OrderPreserving().quantise(logits, 4, np.random.default_rng(0))
    assert offload.astype(int).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]]
    assert place.tolist() == [0, 1, 2, 3]
    nearest, _ = NearestNeighbours().quantise(logits, 4, np.random.default_rng(0))
    assert nearest.astype(int).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1]]


@pytest.mark.parametrize("noise", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_that_is_none_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match=r"noise: .* is not allowed; it must be positive"):
        NoisyOrderPreserving(noise=noise)


def test_a_thousand_devices_give_a_thousand_candidates() -> None:
    logits = np.random.default_rng(3).standard_normal(1000)
    for quantiser in (OrderPreserving(), NearestNeighbours()):
        assert quantiser.quantise(logits, 1000, np.random.default_rng(0)).offload.shape == (1000, 1000)
