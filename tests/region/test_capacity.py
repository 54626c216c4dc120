"""The largest load and the least power: closed forms, brute force, and what no policy exceeds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar

import quedge
from quedge.model.cell import cell_of
from quedge.region.boundary import capacity_boundary
from quedge.region.capacity import capacity
from quedge.region.least_power import least_power
from quedge.region.sampling import Precision
from quedge.region.support import ACCESS, Support
from quedge.simulation.processes import Recorded, RicianFading
from tests.policies import POLICIES

CELL = quedge.Scenario()


def sampled(scenario: quedge.Scenario, frames: int) -> Recorded:
    return Recorded(RicianFading().sample(scenario, frames, np.random.default_rng(3)))


def test_local_computing_carries_what_its_budget_pays_for() -> None:
    budgets = (0.08, 0.01, 0.3)
    scenario = quedge.Scenario(devices=3, power_budget_w=budgets)
    frequency = np.minimum(np.cbrt(np.array(budgets) / 1e-26), 0.3e9)
    found = capacity(scenario, access="none", precision=Precision(tolerance=1e-4))
    closed_form = (frequency / 100.0 / 1e6 / 3.0).min()
    assert found.lower.value == pytest.approx(closed_form, rel=2e-4)
    assert closed_form <= found.upper.value <= closed_form * (1.0 + 2e-4)
    assert found.rate_binds.tolist() == found.power_binds.tolist() == [False, True, False]


def test_one_device_carries_what_its_dual_function_says() -> None:
    scenario = quedge.Scenario(devices=1, pqc_power_w=0.03, distance_m=(180.0,))
    channel = sampled(scenario, 400)
    gain_to_noise = channel.values[:, 0] / cell_of(scenario).noise_w

    def dual(price: float) -> float:  # written out, with a Mbit/s worth 1
        frequency = min(np.sqrt(1.0 / (3.0 * 1e8 * 1e-26 * price)), 0.3e9)
        local = frequency / 1e8 - price * 1e-26 * frequency**3
        uplink = 2.0 / 1.1
        power = np.clip(uplink / np.log(2.0) / price - 1.0 / gain_to_noise, 0.0, 0.1)
        offloading = uplink * np.log2(1.0 + power * gain_to_noise) - price * (power + 0.03)
        return float(np.maximum(local, offloading).mean() + price * 0.08)

    least = minimize_scalar(dual, bounds=(1e-3, 1e3), method="bounded", options={"xatol": 1e-9}).fun
    found = capacity(scenario, channel=channel, precision=Precision(tolerance=1e-4))
    assert found.upper.ci95 == 0.0
    assert found.upper.value * 3.0 == pytest.approx(least, rel=1e-3)
    assert found.lower.value * 3.0 == pytest.approx(least, rel=1e-3)
    assert found.lower.value <= least / 3.0 * (1.0 + 1e-9)


STATES = np.array([[3e-12, 8e-13], [6e-13, 2e-12], [1e-12, 1.2e-12]])


def brute_force(scenario: quedge.Scenario, gain: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and powers, shape (decisions, 2), of all decisions on a grid of powers and frequencies in one state."""
    noise, uplink = cell_of(scenario).noise_w, 2.0 / 1.1
    offload = np.repeat([True, False], steps)
    power = np.where(offload, np.tile(np.linspace(0.0, 0.1, steps), 2), 0.0)
    frequency = np.where(offload, 0.0, np.tile(np.linspace(0.0, 0.3e9, steps), 2))
    drawn = np.where(offload, power + scenario.per_device("pqc_power_w")[0], 1e-26 * frequency**3)
    weak, strong = np.argsort(gain)
    first, second = (each.ravel() for each in np.meshgrid(np.arange(offload.size), np.arange(offload.size)))
    choice = np.empty((first.size, 2), dtype=int)
    choice[:, weak], choice[:, strong] = first, second
    interference = np.zeros((first.size, 2))
    interference[:, strong] = power[first] * gain[weak]
    sent = uplink * np.log2(1.0 + power[choice] * gain / (noise + interference))
    return np.where(offload[choice], sent, frequency[choice] / 1e8), drawn[choice]


@pytest.mark.parametrize("scenario", [quedge.Scenario(devices=2), quedge.Scenario(devices=2, pqc_power_w=0.05)])
def test_two_devices_on_three_channel_states_carry_what_brute_force_finds(scenario: quedge.Scenario) -> None:
    found = capacity(scenario, channel=Recorded(STATES), precision=Precision(tolerance=1e-4))
    rates, powers = zip(*(brute_force(scenario, gain, 60) for gain in STATES), strict=True)
    rate, power = np.concatenate(rates) / 3.0, np.concatenate(powers) / 3.0  # each state has a third of the time
    count = rate.shape[0]
    one_of_each = np.zeros((3, count + 1))
    for state in range(3):
        one_of_each[state, state * count // 3 : (state + 1) * count // 3] = 1.0
    best = linprog(
        np.append(np.zeros(count), -1.0),
        A_ub=np.vstack((np.hstack((-rate.T, np.full((2, 1), 3.0))), np.hstack((power.T, np.zeros((2, 1)))))),
        b_ub=[0.0, 0.0, 0.08, 0.08],
        A_eq=one_of_each,
        b_eq=np.ones(3),
        method="highs",
    )
    assert -best.fun <= found.upper.value * (1.0 + 1e-9)
    assert -best.fun == pytest.approx(found.upper.value, rel=1e-3)
    assert -best.fun >= found.lower.value * (1.0 - 1e-3)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_no_policy_carries_more_than_the_bound_whatever_the_prices(policy: quedge.Policy | quedge.Learner) -> None:
    scenario = quedge.Scenario(devices=4, pqc_power_w=0.02, arrival_rate_mbps=5.0)
    trace = quedge.simulate(scenario, policy, frames=60, seed=5)
    support = Support(cell_of(scenario), trace.channel_gain, "noma", 1e-4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        prices = np.concatenate((rng.uniform(0.0, 0.1, 4), rng.uniform(0.0, 2.0, 4)))
        worth = trace.rate_mbps @ prices[:4] - trace.power_w @ prices[4:]
        assert (worth <= support(prices).bound * (1.0 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"pqc_max_rate_mbps": 3.0, "pqc_power_w": 0.01},
        {"pqc_overhead_bits": 2e5, "pqc_energy_j_per_bit": 1e-9},
    ],
)
def test_a_cut_reaches_its_bound_within_the_gap_of_its_access(access: str, keys: dict[str, float]) -> None:
    scenario = quedge.Scenario(devices=5, **keys)
    gain = sampled(scenario, 50).values
    cut = Support(cell_of(scenario), gain, access, 1e-4)(np.repeat([0.05, 0.3], 5))
    reached = float(cut.direction @ cut.prices)
    # by time division a device that its module limits may leave part of a frame to nobody
    allowed = 0.05 if access == "tdma" and "pqc_max_rate_mbps" in keys else 1e-4
    assert reached <= cut.bound.mean() * (1.0 + 1e-12)
    assert reached >= cut.bound.mean() * (1.0 - allowed)


def test_noma_carries_no_less_than_time_division_and_that_no_less_than_local_computing() -> None:
    noma, tdma, none = (
        capacity(CELL, access=access, precision=Precision(samples=600)) for access in ("noma", "tdma", "none")
    )
    assert noma.upper.value >= tdma.lower.value >= none.lower.value


def test_bounds_enclose_within_the_tolerance_and_repeat_exactly() -> None:
    first, second = (capacity(CELL, precision=Precision(samples=600, seed=7)) for _ in range(2))
    assert 0.0 <= first.gap <= 5e-3
    assert first.upper == second.upper
    assert first.lower == second.lower
    assert (first.rate_price == second.rate_price).all()


def test_the_sums_of_a_cut_do_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    gain = sampled(CELL, 700).values
    cuts = []
    for cores in ({0}, {0, 1, 2}):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, cores=cores: cores)
        cuts.append(Support(cell_of(CELL), gain, "noma", 1e-3)(np.repeat([0.03, 0.3], 10)))
    assert (cuts[0].rate_mbps == cuts[1].rate_mbps).all()
    assert (cuts[0].bound == cuts[1].bound).all()


def test_least_power_of_local_computing_is_a_closed_form() -> None:
    scenario = quedge.Scenario(devices=2, arrival_rate_mbps=(1.0, 2.0))
    each = 1e-26 * (100.0 * 1e6 * np.array([1.0, 2.0])) ** 3
    mean = least_power(scenario, access="none", precision=Precision(tolerance=1e-4))
    largest = least_power(scenario, access="none", measure="largest", precision=Precision(tolerance=1e-4))
    assert mean.lower.value == pytest.approx(each.mean(), rel=2e-4)
    assert mean.upper.value == pytest.approx(each.mean(), rel=2e-4)
    assert mean.lower.value <= each.mean() <= mean.upper.value * (1.0 + 1e-12)
    assert largest.lower.value == pytest.approx(each.max(), rel=2e-4)
    assert largest.lower.value <= each.max() * (1.0 + 1e-9)


def test_the_least_power_of_a_light_load_costs_the_solver_no_overflow() -> None:
    scenario = quedge.Scenario(devices=2, arrival_rate_mbps=1.0)
    found = least_power(scenario, precision=Precision(tolerance=0.01, samples=200))  # begins at rates without a price
    assert 0.0 < found.lower.value <= found.upper.value


def test_least_power_and_largest_load_agree() -> None:
    channel = sampled(CELL, 300)
    load = capacity(CELL, channel=channel, precision=Precision(tolerance=1e-4))
    at_the_bound = dataclasses.replace(CELL, arrival_rate_mbps=3.0 * load.lower.value)
    assert least_power(at_the_bound, channel=channel, measure="largest").lower.value <= 0.08 * (1.0 + 2e-3)
    assert least_power(at_the_bound, channel=channel, measure="largest").upper.value >= 0.08 * (1.0 - 2e-3)


def test_a_load_that_no_power_carries_is_refused() -> None:
    with pytest.raises(ValueError, match=r"arrival_rate_mbps: 40\.0 is not allowed; it must be below"):
        least_power(dataclasses.replace(CELL, arrival_rate_mbps=40.0), precision=Precision(samples=200))


def test_the_edge_meets_the_capacity_in_the_direction_of_the_load() -> None:
    scenario = quedge.Scenario(devices=4)
    channel = sampled(scenario, 200)
    edge = capacity_boundary(scenario, ((0, 1), (2, 3)), points=5, channel=channel)
    whole = capacity(scenario, channel=channel)
    assert [edge[0].direction, edge[-1].direction] == [(1.0, 0.0), (0.0, 1.0)]
    middle = edge[2].rates(edge[2].upper)
    assert middle[0] == pytest.approx(whole.upper.value * 3.0, rel=2e-3)
    assert middle[1] == pytest.approx(middle[0])
    firsts, seconds = zip(*(point.rates(point.upper) for point in edge), strict=True)
    assert np.all(np.diff(firsts) <= 2e-3 * firsts[0])
    assert np.all(np.diff(seconds) >= -2e-3 * seconds[-1])


def test_devices_in_neither_group_keep_their_arrivals() -> None:
    scenario = quedge.Scenario(devices=3)
    channel = sampled(scenario, 100)
    free = capacity_boundary(
        dataclasses.replace(scenario, arrival_rate_mbps=(3.0, 3.0, 0.0)), ((0,), (1,)), points=2, channel=channel
    )
    loaded = capacity_boundary(scenario, ((0,), (1,)), points=2, channel=channel)
    assert loaded[0].upper.value < free[0].lower.value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"access": "fdma"}, "access: 'fdma' is not allowed; it must be one of noma, tdma, none"),
        ({"direction": [1.0]}, "direction: [1.0] is not allowed; it must be a list of 10 rates, one a device"),
        (
            {"channel": Recorded(np.ones((2, 10))), "precision": Precision(samples=5)},
            "samples: 5 is not allowed with a recording",
        ),
        ({"channel": Recorded(np.ones((2, 3)))}, "recording: devices: 3 recorded devices are not allowed"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is compared as a whole)
        capacity(CELL, **arguments)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tolerance": 0.0}, "tolerance: 0.0 is not allowed; it must be at least 1e-6 and below 1"),
        ({"samples": 1}, "samples: 1 is not allowed; it must be an integer, at least 2"),
        ({"seed": -1}, "seed: -1 is not allowed; it must be an integer, at least 0"),
    ],
)
def test_a_precision_that_is_none_is_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is compared as a whole)
        Precision(**settings)  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_the_weights_of_queues_move_no_bound() -> None:
    plain, other = (
        capacity(dataclasses.replace(CELL, **keys), precision=Precision(samples=100, tolerance=0.05))
        for keys in ({}, {"queue_exponent": 0.4, "v": 7.0, "nu": 3.0, "frame_s": 0.01})
    )
    assert plain.upper == other.upper


def test_a_finite_server_limits_what_is_offloaded() -> None:
    scenario = quedge.Scenario(
        devices=1, power_budget_w=1e3, server_frequency_hz=2e8, server_cycles_per_bit=100.0, distance_m=100.0
    )
    channel = Recorded(np.full((4, 1), 1e-11))
    cell = cell_of(scenario)
    sent = float(cell.uplink_mbps[0] * np.log2(1.0 + cell.max_transmit_power_w[0] * 1e-11 / cell.noise_w))
    share = 2.0 / sent  # of the frames in which the device offloads: the server processes 2 Mbit/s
    carried = 3.0 * (1.0 - share) + 2.0
    found = capacity(scenario, channel=channel, precision=Precision(tolerance=1e-4))
    assert found.lower.value * 3.0 == pytest.approx(carried, rel=2e-4)
    assert found.upper.value * 3.0 == pytest.approx(carried, rel=2e-4)
    assert found.server_price == pytest.approx(share * (sent - 3.0) / 3.0, rel=1e-2)


@pytest.mark.parametrize(("share", "is_stable"), [(0.9, True), (1.1, False)])
def test_both_queues_are_stable_up_to_the_capacity_and_no_further(share: float, is_stable: bool) -> None:
    scenario = quedge.Scenario(devices=3, server_frequency_hz=2e8)
    most = capacity(scenario, precision=Precision(tolerance=0.01)).upper.value
    load = quedge.Scenario(devices=3, server_frequency_hz=2e8, arrival_rate_mbps=3.0 * most * share)
    trace = quedge.simulate(load, quedge.Exact(), 4000, seed=1)
    waiting = (trace.data_queue_mbit + trace.server_queue_mbit).sum(axis=1)
    second, last = waiting[1000:2000].mean(), waiting[3000:].mean()
    assert (last < 1.3 * second) if is_stable else (last > 1.7 * second)


def test_batteries_and_results_have_no_capacity() -> None:
    with pytest.raises(ValueError, match=r"^battery_j: 2.0 is not allowed"):
        capacity(quedge.Scenario(battery_j=2.0))
    with pytest.raises(ValueError, match=r"^result_ratio: 0.1 is not allowed"):
        capacity(quedge.Scenario(server_frequency_hz=1e9, result_ratio=0.1))
