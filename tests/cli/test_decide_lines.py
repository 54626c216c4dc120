from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from quedge.cli.decide import answer_lines
from quedge.files.scenario import read_scenario
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestPair
from quedge.policy.exact import Exact
from quedge.policy.subchannels import Ofdma

GOOD: dict[str, Any] = {"channel_gain": [1e-9, 1e-10], "data_queue_mbit": [3, 4.5], "energy_queue": [0, 1]}


def answers(*lines: Any, settings: tuple[str, ...] = (), policy: Any = None) -> list[dict[str, Any]]:
    """Parsed answers to lines, given as bytes or as what they hold."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    given = read_scenario(settings=settings)
    return [json.loads(answer) for answer, _ in answer_lines(raw, given, policy or BestPair())]


def test_an_answer_is_the_policys_decision() -> None:
    (answer,) = answers(GOOD, policy=Exact())
    frame = Frame(cell_of(Scenario(devices=2)), *(np.array(values, dtype=float) for values in GOOD.values()))
    decision = Exact().decide(frame, np.random.default_rng())
    assert list(answer) == [
        "offload", "transmit_power_w", "cpu_frequency_hz", "rate_mbps", "power_w", "objective", "upper_bound", "status",
        "time_share", "notes",
    ]  # fmt: skip
    assert answer["offload"] == decision.offload.tolist()
    assert answer["transmit_power_w"] == decision.transmit_power_w.tolist()
    assert answer["objective"] == decision.objective
    assert answer["upper_bound"] == decision.upper_bound
    assert answer["status"] == "ok"
    assert answer["time_share"] is None
    assert answer["notes"] == {}


def test_a_policy_without_a_bound_answers_null() -> None:
    assert answers(GOOD)[0]["upper_bound"] is None


def test_blank_lines_have_no_answer_but_count() -> None:
    assert [answer.get("line") for answer in answers(b"\n", GOOD, b"  \n", b"junk\n")] == [None, 4]


def test_frames_may_differ_in_devices_unless_the_scenario_fixes_them() -> None:
    one = {name: values[:1] for name, values in GOOD.items()}
    assert [len(answer["offload"]) for answer in answers(GOOD, one)] == [2, 1]
    refused = answers(GOOD, one, settings=("devices=2",))[1]
    assert refused["error"].startswith("channel_gain: a list of 1 values is not allowed; it must hold one value for")


def test_a_device_of_gain_0_computes_locally() -> None:
    (decided,) = answers(GOOD | {"channel_gain": [0, 1e-10]})
    assert decided["offload"][0] is False
    assert decided["transmit_power_w"][0] == 0.0
    assert decided["cpu_frequency_hz"][0] > 0.0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"junk", "not valid JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
        ([1], "must be a JSON object"),
        ({"channel_gain": [1]}, "data_queue_mbit: no such field"),
        (GOOD | {"gain": 1}, "gain: unknown field"),
        (GOOD | {"energy_queue": [1]}, "energy_queue: shape (1,) is not allowed"),
        (GOOD | {"energy_queue": 1}, "energy_queue: must be a list"),
        (GOOD | {"channel_gain": []}, "channel_gain: must be a list"),
        (
            GOOD | {"channel_gain": [1, -1]},
            "channel_gain[1]: -1.0 is not allowed; it must be at least 0 and at most 1e+06",
        ),
        (GOOD | {"channel_gain": [1, float("nan")]}, "channel_gain[1]: nan"),
        (GOOD | {"data_queue_mbit": [1, -1]}, "data_queue_mbit[1]: -1.0 is not allowed"),
        (GOOD | {"data_queue_mbit": [1, True]}, "data_queue_mbit[1]: true is not allowed; it must be a number"),
        (GOOD | {"data_queue_mbit": [1, "2"]}, 'data_queue_mbit[1]: "2" is not allowed'),
        (GOOD | {"data_queue_mbit": [1, None]}, "data_queue_mbit[1]: null is not allowed"),
        (GOOD | {"data_queue_mbit": [1, [2]]}, "data_queue_mbit[1]: [2] is not allowed"),
        (GOOD | {"data_queue_mbit": [1, 10**400]}, "data_queue_mbit[1]: an integer of that size"),
        (GOOD | {"data_queue_mbit": [1e308, 1e308], "energy_queue": [1e308, 0]}, "at most 1e+12"),
    ],
)
def test_a_bad_line_is_answered_by_its_error_and_the_next_one_is_answered(line: Any, complaint: str) -> None:
    refused, fine = answers(line, GOOD)
    assert complaint in refused["error"]
    assert refused["line"] == 1
    assert fine["status"] == "ok"


def test_gains_may_differ_from_one_sub_channel_to_the_next() -> None:
    two = ("subchannels=2",)
    line = GOOD | {"channel_gain": [[1e-9, 1e-12], [1e-9, 1e-10]], "data_queue_mbit": [9, 9]}
    flat, selective = answers(GOOD, line, settings=two, policy=Ofdma())
    assert set(flat["subchannel"]) <= {-1, 0, 1}
    assert selective["subchannel"] == [0, 1]
    ragged = line | {"channel_gain": [[1e-9, 1e-12], [1e-9]]}
    texts = line | {"channel_gain": [[1e-9, "x"], [1e-9, 1e-9]]}
    three = line | {"channel_gain": [[1e-9] * 3] * 2}
    told = [answer["error"] for answer in answers(ragged, texts, three, settings=two, policy=Ofdma())]
    assert told[0] == "channel_gain[1]: a list of 1 values is not allowed; the first has 2"
    assert told[1] == 'channel_gain[0][1]: "x" is not allowed; it must be a number'
    assert told[2].startswith("channel_gain: shape (2, 3) is not allowed; it must be (2,), a value a device, or (2, 2)")
    assert answers(line)[0]["error"].startswith("channel_gain[0]: [1e-09, 1e-12] is not allowed")
