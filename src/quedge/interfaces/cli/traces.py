"""The recordings that a command is given."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from quedge.interfaces.cli.refusing import UsageError, refusing
from quedge.simulation.processes import Recorded


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
    from quedge.simulation.recording import read_recording

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
