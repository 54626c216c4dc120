"""The options for recorded channels and arrivals, and how their files are read."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from quedge.cli.usage import UsageError, refusing

if TYPE_CHECKING:
    from quedge.simulation.processes import Recorded
    from quedge.simulation.recordings.layout import Layout
    from quedge.simulation.recordings.recording import Recording

_KINDS = "(.csv, .csv.gz, .npz, .parquet, .mat; - is CSV from standard input)"
_STANDARD_INPUT = Path("-")

ChannelTrace = Annotated[Path | None, typer.Option(metavar="FILE", help=f"Recorded channel gains {_KINDS}.")]
ArrivalTrace = Annotated[Path | None, typer.Option(metavar="FILE", help=f"Recorded arrivals {_KINDS}.")]
LayoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--layout",
        metavar="KEY=VALUE",
        help="How the traces are written: gain_unit=ratio|db|loss-db|amplitude|dbm:POWER, absent=keep, "
        "arrivals=sparse, delimiter=CHARACTER, and the columns' names, such as channel_gain=RSRP. Can be given again.",
    ),
]


class Traces(NamedTuple):
    """What the recordings give to a run; None where there is none."""

    channel: Recorded | None
    arrivals: Recorded | None
    devices: int | None
    frames: int | None


def read_traces(channel_trace: Path | None, arrival_trace: Path | None, layout: list[str] | None) -> Traces:
    """Read the files given as --channel-trace and --arrival-trace, written as --layout says.

    What is likely wrong with them is told on standard error.

    Raises:
        UsageError: a file that is no recording, or two of different numbers of devices.
    """
    if channel_trace is None and arrival_trace is None:
        if layout:
            raise UsageError("--layout: is not allowed without --channel-trace or --arrival-trace")
        return Traces(None, None, None, None)
    from quedge.simulation.recordings.layout import Layout

    with refusing("--layout"):
        written = Layout.of(layout or ())
    with _telling_warnings():
        recordings = _recordings(channel_trace, arrival_trace, written)
    channel, arrivals = recordings
    if channel is not None and arrivals is not None and channel.devices != arrivals.devices:
        raise UsageError(
            f"--channel-trace and --arrival-trace: {channel_trace} holds {channel.devices} devices and "
            f"{arrival_trace} {arrivals.devices}; both must hold the same number"
        )
    there = [recording for recording in recordings if recording is not None]
    return Traces(
        None if channel is None else channel.channel,
        None if arrivals is None else arrivals.arrivals,
        there[0].devices,
        min(recording.frames for recording in there),
    )


def _recordings(
    channel_trace: Path | None, arrival_trace: Path | None, layout: Layout
) -> tuple[Recording | None, Recording | None]:
    """The recordings of channel gains and of arrivals, which may be one."""
    from quedge.simulation.recordings.recording import read_recording

    if channel_trace == arrival_trace and channel_trace is not None:
        with refusing("--channel-trace and --arrival-trace"):
            both = read_recording(channel_trace, layout=layout)
            if channel_trace == _STANDARD_INPUT:  # cannot be read again
                _ = both.channel, both.arrivals
        if both.channel_gain is not None and both.arrival_mbit is not None:
            return both, both
    channel, arrivals = None, None  # a file that lacks one of the two is refused with the columns that it has
    if channel_trace is not None:
        with refusing("--channel-trace"):
            channel = read_recording(channel_trace, ["channel_gain"], layout)
    if arrival_trace is not None:
        with refusing("--arrival-trace"):
            arrivals = read_recording(arrival_trace, ["arrival_mbit"], layout, channel)
    return channel, arrivals


@contextmanager
def _telling_warnings() -> Iterator[None]:
    """Warnings as lines on standard error, each of them once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"quedge: warning: {message}", file=sys.stderr)
