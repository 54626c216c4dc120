"""The agent: it learns, its K adapts, it goes on from where it stood, and it serves any cell."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from quedge.allocation.greedy import NomaGreedy
from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.policy.exact import Exact, exact_objectives
from quedge.policy.lydroo import EQUIVARIANT, LYDROO_PUBLIC, Inputs, Lydroo, LydrooAgent, MlpActor, SharedActor
from quedge.policy.lydroo.quantiser import OrderPreserving
from quedge.policy.lydroo.replay import Batch
from quedge.simulation.run import run_in_world, simulate
from quedge.simulation.world import draw_world
from tests.frames import drawn_frame
from tests.policies import assert_keeps_limits

PAPER_CELL = Scenario()


@pytest.fixture(scope="module")
def learned() -> tuple[LydrooAgent, LydrooAgent]:
    """A fresh agent and one that began from the same weights and has learned from 1,500 frames."""
    fresh, trained = (EQUIVARIANT.new_agent(10, np.random.default_rng(5)) for _ in range(2))
    simulate(PAPER_CELL, trained, frames=1500, seed=11)
    return fresh, trained


def ratio_of_the_actor_alone(agent: LydrooAgent) -> float:
    """Share of the optimum that the rounded relaxed decision reaches on held-out states, without other candidates."""
    trace = simulate(PAPER_CELL, Exact(), frames=600, seed=77)
    late = slice(200, None)
    states = trace.channel_gain[late], trace.data_queue_mbit[late], trace.energy_queue[late]
    optimum = exact_objectives(cell_of(PAPER_CELL), *states)
    alone = LydrooAgent(
        dataclasses.replace(agent.settings, quantiser=OrderPreserving(), candidates=1, adapt_every=10**6),
        agent.weights,
        10,
    )
    rng = np.random.default_rng(0)
    reached = [alone.decide(Frame(cell_of(PAPER_CELL), *state), rng).objective for state in zip(*states, strict=True)]
    return float(np.mean(np.array(reached) / optimum))


def test_what_was_learned_beats_the_fresh_actor_by_a_wide_margin(learned: tuple[LydrooAgent, LydrooAgent]) -> None:
    before, after = (ratio_of_the_actor_alone(agent) for agent in learned)
    assert after >= 0.93  # a broken gradient or mixed-up labels leave it near the fresh one, or below
    assert after >= before + 0.3


def test_the_learner_leaves_best_single_behind() -> None:
    here, single = (simulate(PAPER_CELL, policy, frames=2000, seed=2) for policy in (EQUIVARIANT, BestSingle()))
    assert here.data_queue_mbit[1000:].mean() < single.data_queue_mbit[1000:].mean()


def test_the_number_of_candidates_falls_as_the_actor_learns_by_the_rule_of_the_paper() -> None:
    trace = simulate(PAPER_CELL, EQUIVARIANT, frames=1600, seed=3)
    given, won = trace.notes["candidates"], trace.notes["winner"]
    assert (won < given).all()
    assert (given[:32] == 10).all()
    for start in range(32, 1600, 32):
        needed = won[start - 32 : start].max() + 1
        assert (given[start : start + 32] == min(needed + 1, 10)).all()
    assert given[-320:].mean() <= 6.0


def test_k_rises_again_when_the_last_candidate_wins() -> None:
    settings = Lydroo(candidates=1, adapt_every=4)
    agent = LydrooAgent(settings, settings.new_agent(10, np.random.default_rng(0)).weights, 10)
    trace = simulate(PAPER_CELL, agent, frames=40, seed=0)
    assert trace.notes["candidates"][0] == 1
    assert trace.notes["candidates"].max() > 2


def test_the_trace_tells_the_loss_of_every_step_and_nothing_between() -> None:
    settings = Lydroo(batch=16, update_every=5)
    loss = simulate(PAPER_CELL, settings, frames=200, seed=1).notes["loss"]
    due = np.array([frame % 5 == 0 and frame >= 16 for frame in range(1, 201)])
    np.testing.assert_array_equal(np.isfinite(loss), due)
    assert loss[due][-10:].mean() < loss[due][:3].mean()


@pytest.mark.parametrize(
    "settings", [EQUIVARIANT, Lydroo(update_every=2, memory=64), LYDROO_PUBLIC], ids=["equivariant", "paper", "public"]
)
@pytest.mark.parametrize("cut", [1, 77, 128])
def test_a_run_cut_at_any_frame_and_resumed_equals_the_uncut_one(settings: Lydroo, cut: int) -> None:
    world = draw_world(PAPER_CELL, 200, seed=6)
    whole_agent, agent = (settings.new_agent(10, np.random.default_rng(3)) for _ in range(2))
    whole = run_in_world(PAPER_CELL, whole_agent, world, seed=6)
    first = run_in_world(PAPER_CELL, agent, world.part(0, cut), seed=6)
    resumed = settings.resume(agent.state())
    rest = run_in_world(PAPER_CELL, resumed, world.part(cut, 200), seed=6, start=first.end)
    for name in ("offload", "transmit_power_w", "data_queue_mbit", "energy_queue", "objective"):
        np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name)[cut:], err_msg=name)
    for name in ("candidates", "winner", "loss"):
        told = rest.notes.get(name, np.full(200 - cut, np.nan))
        np.testing.assert_array_equal(told, whole.notes[name][cut:], err_msg=name)
    for name, values in whole_agent.state().weights.items():
        np.testing.assert_array_equal(resumed.state().weights[name], values, err_msg=name)
    for name, values in whole_agent.state().moments.items():
        np.testing.assert_array_equal(resumed.state().moments[name], values, err_msg=name)


def test_devices_may_come_and_go_between_frames_while_the_agent_learns() -> None:
    agent, rng = (
        dataclasses.replace(EQUIVARIANT, batch=8, update_every=1).new_agent(10, np.random.default_rng(1)),
        np.random.default_rng(2),
    )
    losses = []
    for number in range(60):
        frame = drawn_frame((10, 7, 12, 1, 30)[number % 5], seed=number)
        decision = agent.decide(frame, rng)
        assert_keeps_limits(frame, decision)
        assert decision.notes["candidates"] <= max(frame.cell.devices, 2)
        losses.append(decision.notes.get("loss", np.nan))
    assert np.isfinite(losses[8:]).all()
    resumed = agent.settings.resume(agent.state())
    for number in range(5):
        frame = drawn_frame(6 + number, seed=100 + number)
        here, there = (each.decide(frame, np.random.default_rng(number)) for each in (agent, resumed))
        np.testing.assert_array_equal(here.transmit_power_w, there.transmit_power_w)


def test_a_trained_agent_serves_other_numbers_of_devices(learned: tuple[LydrooAgent, LydrooAgent]) -> None:
    for devices in (5, 25):
        scenario = Scenario(devices=devices)
        trace = simulate(scenario, learned[1].trained(), frames=300, seed=8)
        late = slice(100, None)
        states = trace.channel_gain[late], trace.data_queue_mbit[late], trace.energy_queue[late]
        assert (trace.objective[late] / exact_objectives(cell_of(scenario), *states)).mean() >= 0.97


@pytest.mark.parametrize("devices", [1, 2])
def test_a_trained_agent_is_close_to_the_optimum_of_the_smallest_cells(
    learned: tuple[LydrooAgent, LydrooAgent], devices: int
) -> None:
    scenario = Scenario(devices=devices)
    trace = simulate(scenario, learned[1].trained(), frames=300, seed=8)
    assert (trace.notes["candidates"] == devices + 1).all()
    states = trace.channel_gain, trace.data_queue_mbit, trace.energy_queue
    optimum = exact_objectives(cell_of(scenario), *states)
    assert trace.objective.sum() >= 0.99 * optimum.sum()


def test_a_trained_agent_learns_no_more_and_begins_every_run_alike(learned: tuple[LydrooAgent, LydrooAgent]) -> None:
    policy = learned[1].trained()
    before = {name: values.copy() for name, values in policy.weights.items()}
    once, again = (simulate(PAPER_CELL, policy, frames=100, seed=4) for _ in range(2))
    np.testing.assert_array_equal(once.transmit_power_w, again.transmit_power_w)
    assert "loss" not in once.notes
    simulate(PAPER_CELL, learned[1], frames=100, seed=5)  # the agent itself goes on learning
    for name, values in before.items():
        np.testing.assert_array_equal(policy.weights[name], values)
        assert (learned[1].weights[name] != values).any()


def test_a_trained_mlp_refuses_another_number_of_devices_before_its_first_frame() -> None:
    policy = Lydroo().new_agent(4, np.random.default_rng(0)).trained()
    with pytest.raises(ValueError, match=r"devices: 5 is not allowed; this mlp actor was made for 4"):
        simulate(Scenario(devices=5), policy, frames=3)


@dataclasses.dataclass(frozen=True)
class HalfPower:
    """A critic of one's own, with the one method that an allocator must have."""

    def allocate(self, frame: Frame, offload: np.ndarray) -> Decision:
        decision = NomaGreedy().allocate(frame, offload)
        return decision._replace(transmit_power_w=decision.transmit_power_w / 2.0)


def test_any_allocator_is_a_critic() -> None:
    trace = simulate(PAPER_CELL, Lydroo(allocator=HalfPower()), frames=40, seed=1)
    assert 0.0 < trace.transmit_power_w.max() <= 0.05


class Recorder:
    """A trainer that takes no step and remembers how large each would have been."""

    def __init__(self) -> None:
        self.learning_rates: list[float] = []

    def step(self, batch: Batch, learning_rate: float) -> float:
        self.learning_rates.append(learning_rate)
        return 0.0


def test_the_step_size_falls_with_the_frames_to_its_settled_value() -> None:
    settings = Lydroo(batch=10, update_every=100, learning_rate=0.02, settled_learning_rate=0.012)
    recorder = Recorder()
    agent = LydrooAgent(settings, settings.new_agent(10, np.random.default_rng(0)).weights, 10, recorder)  # type: ignore[arg-type]
    simulate(PAPER_CELL, agent, frames=600, seed=0)
    # 0.02 / sqrt(1 + 100/200), ... / sqrt(1 + 200/200), / sqrt(1 + 300/200), and the floor from there on
    expected = [0.016330, 0.014142, 0.012649, 0.012, 0.012, 0.012]
    np.testing.assert_allclose(recorder.learning_rates, expected, rtol=1e-4)


def test_lydroo_is_the_paper_s_agent() -> None:
    paper = Lydroo()
    assert paper.actor == MlpActor(hidden=(256, 128))
    assert paper.actor.shapes(10, paper.inputs.features)["first.weight"] == (256, 30)
    assert (paper.memory, paper.batch, paper.update_every, paper.inputs) == (1024, 32, 20, Inputs.STATE)
    assert isinstance(EQUIVARIANT.actor, SharedActor)


def test_the_paper_s_agent_keeps_the_queue_where_the_paper_has_it() -> None:
    """Table III, ν = 50: 15.1 Mbit, 6.86, 0.0775 W. With the noise on the logits the queue grew to 770 Mbit."""
    trace = simulate(Scenario(nu=50.0), Lydroo(), frames=10_000, seed=0)
    late = slice(5_000, None)
    assert trace.data_queue_mbit[late].mean() == pytest.approx(15.1, rel=0.3)
    assert trace.energy_queue[late].mean() == pytest.approx(6.86, rel=0.15)
    assert trace.power_w[late].mean() == pytest.approx(0.0775, abs=0.001)


def test_without_moments_each_weight_moves_against_the_sign_of_its_gradient() -> None:
    agent = dataclasses.replace(LYDROO_PUBLIC, batch=16).new_agent(10, np.random.default_rng(0))
    before = {name: values.copy() for name, values in agent.weights.items()}
    simulate(PAPER_CELL, agent, frames=40, seed=0)  # steps after frames 20 and 40
    moved = np.concatenate([(np.abs(agent.weights[name] - values) / 0.01).ravel() for name, values in before.items()])
    assert moved.max() <= 2.0 + 1e-3
    whole = np.abs(moved - np.rint(moved)) < 1e-2  # but for gradients so small that Adam's 1e-8 counts
    assert whole.mean() > 0.6
    assert {0, 2} <= set(np.rint(moved[whole]).astype(int))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", 0), ("batch", 2.5), ("update_every", -1), ("adapt_every", True), ("candidates", 0),
        ("allocator", "greedy"), ("actor", "mlp"), ("quantiser", "noisy"), ("quantiser", OrderPreserving),
        ("inputs", "model"), ("learning_rate", 0.0), ("learning_rate", 1.5),
        ("settled_learning_rate", float("nan")),
        ("weight_decay", -0.1), ("keeps_moments", 1),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_allowed_is_refused_with_its_value(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{name}: {re.escape(repr(value))} is not allowed; it must be"):
        Lydroo(**{name: value})  # type: ignore[arg-type]
