"""`quedge decide`: decide frames, one per line."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer

from quedge.cli.compiling import interpreted_if_few
from quedge.cli.options import AgentFile, LearnerSettings, OnePolicy, Settings
from quedge.cli.usage import UsageError, refusing
from quedge.files.policies import check_served, default_names, policies_by_name
from quedge.files.scenario import ParsedScenario, read_scenario
from quedge.model.cell import Cell, cell_of
from quedge.model.conditions import Conditions, frame_under
from quedge.model.frame import Decision, Frame, checked_frame
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy, agent_for

_FIELDS = ("channel_gain", "data_queue_mbit", "energy_queue")
_CONDITIONS = Conditions._fields  # of scenarios that have batteries or a finite edge server
_MAX_DEVICES = 100_000


def answer_lines(lines: Iterable[bytes], given: ParsedScenario, policy: Policy | Learner) -> Iterator[tuple[str, bool]]:
    """Decide frames, one per line.

    A line holds an object with `channel_gain` (W/W), `data_queue_mbit` and `energy_queue`, each a list with one
    number per device, and with `battery_j` (J) or `server_queue_mbit` where the scenario has batteries or a finite edge
    server. Where there are several sub-channels, `channel_gain` may hold a list of numbers per device, one a
    sub-channel. Its answer holds the decision's fields, or `error` and `line`, the number of the line. Blank lines have
    no answer.

    Args:
        lines: UTF-8 text, line by line.
        given: the scenario; where it does not fix the number of devices, each line may have its own.
        policy: who decides; of a learner, a fresh agent that learns from line to line.

    Yields:
        For each line its answer without line break, and whether it is a decision, in order.
    """
    rng = np.random.default_rng(0)
    agent: Policy | None = None
    cell_for = functools.lru_cache(maxsize=64)(functools.partial(_cell_for, given))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            frame = _frame_of(line, cell_for, given.scenario.subchannels > 1)
            if agent is None:
                agent = agent_for(policy, frame.cell.devices, rng)
            answer = answer_object(agent.decide(frame, rng))  # an agent may have been made for other devices
        except ValueError as error:
            yield _error(str(error), number), False
            continue
        try:
            yield json.dumps(answer, allow_nan=False), True
        except ValueError:  # JSON has no infinity
            yield _error("the numbers are so large that the answer is not finite", number), False


def answer_object(decision: Decision) -> dict[str, Any]:
    """A decision as a JSON object; `upper_bound` and `time_share` are null where the policy has none.

    Where there are several sub-channels, it also has `subchannel`.
    """
    answer = {
        "offload": np.asarray(decision.offload).astype(bool).tolist(),
        "transmit_power_w": decision.transmit_power_w.tolist(),
        "cpu_frequency_hz": decision.cpu_frequency_hz.tolist(),
        "rate_mbps": decision.rate_mbps.tolist(),
        "power_w": decision.power_w.tolist(),
        "objective": float(decision.objective),
        "upper_bound": None if decision.upper_bound is None else float(decision.upper_bound),
        "status": str(decision.status),
        "time_share": None if decision.time_share is None else decision.time_share.tolist(),
        "notes": {name: float(number) for name, number in decision.notes.items()},
    }
    return answer if decision.subchannel is None else answer | {"subchannel": decision.subchannel.tolist()}


def _error(message: str, line: int) -> str:
    return json.dumps({"error": message, "line": line}, ensure_ascii=False)


def _frame_of(line: bytes, cell_for: Any, is_divided: bool) -> Frame:
    """The frame that a line describes, or a ValueError naming the field, the value and what is allowed."""
    try:
        fields = json.loads(line.decode("utf-8-sig"))  # Windows' editors and shells put a mark before the first line
    except UnicodeDecodeError:
        raise ValueError("the line is not text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the line is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f"the line must be a JSON object with the fields {', '.join(_FIELDS)}")
    for name in _FIELDS:
        if name not in fields:
            raise ValueError(f"{name}: no such field; it must be a list with one number per device")
    for name in fields:
        if name not in _FIELDS + _CONDITIONS:
            raise ValueError(f"{name[:60]}: unknown field; the fields are {', '.join(_FIELDS)}")
        gains = fields[name] if name == "channel_gain" and is_divided else None
        if isinstance(gains, list) and gains and all(isinstance(each, list) for each in gains):
            _refuse_ragged(name, gains)
        else:
            _refuse_non_numbers(name, fields[name])
    scenario, cell = cell_for(len(fields["channel_gain"]))
    frame = checked_frame(cell, *(fields[name] for name in _FIELDS))
    return frame_under(scenario, frame, {name: fields[name] for name in _CONDITIONS if name in fields})


def _refuse_ragged(name: str, rows: list[list[Any]]) -> None:
    """Refuse what is not one number a device and sub-channel."""
    for device, row in enumerate(rows):
        _refuse_non_numbers(f"{name}[{device}]", row)
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{name}[{device}]: a list of {len(row)} values is not allowed; the first has {len(rows[0])}"
            )


def _refuse_non_numbers(name: str, values: Any) -> None:
    """Refuse what NumPy would quietly turn into numbers: texts, truth values, nested lists."""
    if not isinstance(values, list) or not 1 <= len(values) <= _MAX_DEVICES:
        raise ValueError(f"{name}: must be a list with one number per device, at least one and at most {_MAX_DEVICES}")
    for position, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}[{position}]: {json.dumps(value)[:60]} is not allowed; it must be a number")
        if isinstance(value, int) and abs(value) > 2**1023:
            raise ValueError(f"{name}[{position}]: an integer of that size is not allowed; it must be finite")


def _cell_for(given: ParsedScenario, devices: int) -> tuple[Scenario, Cell]:
    given.scenario.require_one_cell("a frame")
    if devices == given.scenario.devices:
        return given.scenario, cell_of(given.scenario)
    if given.fixes_devices:
        raise ValueError(
            f"channel_gain: a list of {devices} values is not allowed; it must hold one value for each of the "
            f"{given.scenario.devices} devices"
        )
    scenario = dataclasses.replace(given.scenario, devices=devices)
    return scenario, cell_of(scenario)


def decide(
    file: Annotated[Path | None, typer.Argument(help="Frames as JSON Lines; without it, standard input.")] = None,
    policy: OnePolicy = None,
    learner: LearnerSettings = None,
    agent: AgentFile = None,
    scenario: Annotated[Path | None, typer.Option(help="Scenario file (TOML).")] = None,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answers are JSON Lines with or without it.")] = False,
) -> None:
    """Decide frames: JSON Lines with channel_gain, data_queue_mbit and energy_queue in, decisions out.

    A learning policy starts afresh and learns from line to line; with --agent it is a trained one, and learns no more.
    A bad line is answered by a line with "error" and "line"; the exit status is then 1.
    """
    with refusing():
        given = read_scenario(scenario, settings or ())
        unnamed = [] if agent is not None else default_names(given.scenario)
        policies = policies_by_name(unnamed if policy is None else [policy], learner or (), agent)
        check_served(policies, given.scenario)
        (chosen,) = policies.values()
    with _opened(file) as lines, interpreted_if_few():
        all_good = True
        for answer, good in answer_lines(lines, given, chosen):
            print(answer, flush=True)  # whoever asks may wait for this answer before asking again
            all_good = all_good and good
    if not all_good:
        raise typer.Exit(1)


def _opened(file: Path | None) -> AbstractContextManager[IO[bytes]]:
    if file is None or str(file) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed; name a file of frames, or send them there")
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
