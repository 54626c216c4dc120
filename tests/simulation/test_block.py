"""Frames in a row in compiled code equal the same frames run one by one from Python."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from quedge.model.frame import Decision, Frame, PackedFrame
from quedge.model.kernels import Bools, Floats, kernel
from quedge.model.scenario import Scenario
from quedge.policy.compiled import NOTES, OBJECTIVE, OK, STATUS, UPPER_BOUND, Compiled, kernel_address
from quedge.policy.exact import Exact
from quedge.policy.myopic import MyopicSaving
from quedge.policy.policy import agent_for, knows_disturbance
from quedge.policy.registry import SCHEMES, Scheme
from quedge.policy.rounding import RandomRounding
from quedge.simulation.run import run_in_world, simulate
from quedge.simulation.trace import joined
from quedge.simulation.world import draw_world
from tests.simulation.test_simulate import everything_but_time

FRAMES = 700
IDEAL = Scenario(devices=3)
REAL = Scenario(devices=3, estimate_error=0.05, residual_sic_share=1e-3, pqc_overhead_bits=1e4)
COMPILED = [
    scheme for scheme in SCHEMES if isinstance(scheme.policy, MyopicSaving) or kernel_address(scheme.policy) != 0
]
each_compiled = pytest.mark.parametrize("scheme", COMPILED, ids=lambda scheme: scheme.name)


class OneByOne:
    """Asks another policy; nothing is known of a kernel."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.knows_disturbance = knows_disturbance(policy)

    def new_agent(self, devices: int, rng: np.random.Generator) -> OneByOne:
        return OneByOne(agent_for(self.policy, devices, rng))

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        return self.policy.decide(frame, rng)


def test_most_policies_without_learning_run_compiled() -> None:
    assert {"exact", "all-local", "random", "best-pair", "lycd", "myopic-saving"} <= {each.name for each in COMPILED}


@pytest.mark.parametrize("scenario", [IDEAL, REAL], ids=["ideal", "real"])
@each_compiled
def test_a_run_is_the_same_bit_for_bit_as_with_every_frame_asked_from_python(
    scheme: Scheme, scenario: Scenario
) -> None:
    compiled = simulate(scenario, scheme.policy, FRAMES, seed=4)
    python = simulate(scenario, OneByOne(scheme.policy), FRAMES, seed=4)
    assert compiled.timed_decisions_us().size < FRAMES == python.timed_decisions_us().size
    again = everything_but_time(python)
    for name, value in everything_but_time(compiled).items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


def test_first_and_last_frame_are_timed_and_some_between() -> None:
    timed = np.isfinite(simulate(IDEAL, Exact(), 5000).decision_us)
    assert timed[0]
    assert timed[-1]
    assert np.diff(np.flatnonzero(timed)).max() <= 64


def test_a_run_in_two_parts_is_one_run() -> None:
    world, policy = draw_world(REAL, FRAMES, seed=0), RandomRounding()
    first = run_in_world(REAL, policy, world.part(0, 300), seed=0)
    rest = run_in_world(REAL, policy, world.part(300, FRAMES), seed=0, start=first.end)
    whole = everything_but_time(run_in_world(REAL, policy, world, seed=0))
    for name, value in everything_but_time(joined([first, rest])).items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)


@kernel
def _send_too_much(
    packed: PackedFrame, own: Floats, drawn: Floats, offload: Bools, powers: Floats, told: Floats
) -> None:
    own[0] += 1.0
    offload[:] = True
    powers[:] = 0.0
    powers[0] = 1e9 if own[0] == own[1] else 0.0
    told[OBJECTIVE], told[UPPER_BOUND], told[STATUS], told[NOTES] = 0.0, np.nan, OK, own[0]


class SendsTooMuch(Compiled):
    """Chooses a power beyond the limit in one of its decisions."""

    kernel: ClassVar = _send_too_much
    note_names: ClassVar = ("asked",)

    def __init__(self, decision: float) -> None:
        self.own = np.array([0.0, decision])

    def own_numbers(self, devices: int) -> Floats:
        return self.own


def test_a_decision_beyond_a_limit_names_its_frame() -> None:
    with pytest.raises(ValueError, match=r"decision of frame 402: transmit_power_w\[0\]: 1000000000.0 is not allowed"):
        simulate(IDEAL, SendsTooMuch(403.0), FRAMES)


def test_notes_of_every_frame_are_kept() -> None:
    trace = simulate(IDEAL, SendsTooMuch(0.0), FRAMES)
    np.testing.assert_array_equal(trace.notes["asked"], np.arange(1.0, FRAMES + 1.0))


def test_a_policy_that_decides_otherwise_than_its_kernel_is_asked_itself() -> None:
    class Other(SendsTooMuch):
        def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
            return super().decide(frame, rng)

    assert kernel_address(Other(0.0)) == 0
    assert np.isfinite(simulate(IDEAL, Other(0.0), FRAMES).decision_us).all()
