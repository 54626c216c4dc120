"""The options that several commands share, how their values are read, refused and completed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from quedge.cli import completing
from quedge.policy.learners import NAMES
from quedge.service.settings import Address
from quedge.simulation.processes import Recorded


class UsageError(Exception):
    """The user gave something that is not allowed; the message is for them, on one line."""


@contextmanager
def refusing(option: str = "") -> Iterator[None]:
    """Turn a ValueError about something that the user gave into a UsageError.

    It wraps only the reading and checking of what was given, so that a mistake of ours keeps its traceback.

    Args:
        option: what the message starts with, where the ValueError cannot know it.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{option}: {error}" if option else str(error)) from None


def place_of(text: str) -> Path:
    """Where to write; an empty text, from an unset shell variable say, is not the current folder."""
    if not text:
        raise typer.BadParameter("'' is not allowed; it must be a name.")
    return Path(text)


_MOST_FRAMES = 10**9
_MOST_SEED = 2**63 - 1
_MOST_SEEDS = 10_000
_MOST_WORKERS = 1_000
_MOST_TRIALS = 10_000


def integer_from(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of integers in a range, which says the range where it refuses."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise _refused(text, f"an integer from {lowest} to {highest}")
        return number

    return parse


frames_of = integer_from(1, _MOST_FRAMES)
seed_of = integer_from(0, _MOST_SEED)
seeds_of = integer_from(1, _MOST_SEEDS)
workers_of = integer_from(1, _MOST_WORKERS)
trials_of = integer_from(1, _MOST_TRIALS)


def positive_to(highest: float) -> Callable[[str], float]:
    """A parser of numbers above 0 up to a highest one, which it names where it refuses."""

    def parse(text: str) -> float:
        number = _number_of(text)
        if not 0.0 < number <= highest:
            raise _refused(text, f"a number above 0, at most {highest:g}")
        return number

    return parse


def share_of(text: str) -> float:
    """A share of the frames, from 0 to below 1."""
    share = _number_of(text)
    if not 0.0 <= share < 1.0:
        raise _refused(text, "a number, at least 0 and below 1")
    return share


def _number_of(text: str) -> float:
    """The number, or NaN, which is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _refused(text: str, allowed: str) -> typer.BadParameter:
    return typer.BadParameter(f"{str(text)[:60]!r} is not allowed; it must be {allowed}.")


_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:/\[\]]+):([0-9]{1,5})")
"""An IPv6 address stands in brackets."""
_MOST_PORT = 65_535


def listening_of(text: str) -> Address:
    """A host and a port to listen on; port 0 stands for one of the system's choice."""
    return _address_of(text, lowest_port=0)


def target_of(text: str) -> str:
    """A host and a port to connect to, as gRPC takes them."""
    host, port = _address_of(text, lowest_port=1)
    return f"{host}:{port}"


def _address_of(text: str, lowest_port: int) -> Address:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not lowest_port <= int(match[2]) <= _MOST_PORT:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be HOST:PORT, such as 127.0.0.1:50051.")
    return Address(match[1], int(match[2]))


class Traces(NamedTuple):
    """What the recordings give to a run; None where there is none."""

    channel: Recorded | None
    arrivals: Recorded | None
    devices: int | None
    frames: int | None


def read_traces(channel_trace: Path | None, arrival_trace: Path | None) -> Traces:
    """Read the files given as --channel-trace and --arrival-trace.

    Raises:
        UsageError: a file that is no recording, or two of different numbers of devices.
    """
    if channel_trace is None and arrival_trace is None:
        return Traces(None, None, None, None)
    from quedge.simulation.recordings.recording import read_recording

    channel, arrivals = None, None
    if channel_trace is not None:
        with refusing("--channel-trace"):
            channel = read_recording(channel_trace, ["channel_gain"]).channel
    if arrival_trace is not None:
        with refusing("--arrival-trace"):
            arrivals = read_recording(arrival_trace, ["arrival_mbit"]).arrivals
    if channel is not None and arrivals is not None and channel.values.shape[1] != arrivals.values.shape[1]:
        raise UsageError(
            f"--channel-trace and --arrival-trace: {channel_trace} holds {channel.values.shape[1]} devices and "
            f"{arrival_trace} {arrivals.values.shape[1]}; both must hold the same number"
        )
    shapes = [recorded.values.shape for recorded in (channel, arrivals) if recorded is not None]
    return Traces(channel, arrivals, shapes[0][1], min(frames for frames, _ in shapes))


ScenarioFile = Annotated[
    Path | None,
    typer.Argument(
        help="Scenario file (TOML); the paper's scenario without.", autocompletion=completing.scenario_files
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A scenario's key. Can be given again.")
]
LearnerSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--learner",
        metavar="NAME=VALUE",
        help=f"A setting of the learning policies: {', '.join(NAMES)}. Can be given again.",
    ),
]
AgentFile = Annotated[
    Path | None,
    typer.Option(
        "--agent",
        parser=place_of,
        metavar="FILE",
        help="A trained agent, or its exported actor (.onnx); it decides without learning.",
    ),
]
Seed = Annotated[int, typer.Option(parser=seed_of, metavar="N", help="Seed of the random streams.")]
ChannelTrace = Annotated[Path | None, typer.Option(help="Recorded channel gains (.csv, .npz, .parquet, .mat).")]
ArrivalTrace = Annotated[Path | None, typer.Option(help="Recorded arrivals (.csv, .npz, .parquet, .mat).")]
