"""Recordings as other programs and people write them: each is read right, or one line names the cause and the cure."""

from __future__ import annotations

import gzip
import io
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from quedge import errors
from quedge.errors import MissingExtraError
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.recording import Recording, read_recording

GAIN = [[1e-9, 2.5e-9], [3e-9, 4e-9]]
"""What nearly all of the files hold: two frames of two devices."""
PLACES = [(0, 0), (0, 1), (1, 0), (1, 1)]


def lines(
    header: str = "frame,device,channel_gain",
    row: str = "{frame},{device},{gain}",
    frames: tuple[Any, Any] = (0, 1),
    devices: tuple[Any, Any] = (0, 1),
    write: Callable[[float], str] = repr,
) -> str:
    """A text file, one row per frame and device."""
    rows = [row.format(frame=frames[t], device=devices[i], gain=write(GAIN[t][i])) for t, i in PLACES]
    return "\n".join((header, *rows, ""))


class Odd(NamedTuple):
    """A file, how it is read, and what comes of it: gains, and perhaps a warning, or a complaint."""

    name: str
    content: str | bytes | dict[str, Any]
    layout: Layout = Layout()
    gain: Any = GAIN
    complaint: str | None = None
    warning: str | None = None


def decibels(number: float) -> float:
    return 10.0 * math.log10(number)


def decimal_comma(number: float) -> str:
    return repr(number).replace(".", ",")


SEMICOLONS = "{frame};{device};{gain}"
SQUARE = np.array(GAIN)
LONG = {"frame": [0, 0, 1, 1], "device": [0, 1, 0, 1], "channel_gain": [1e-9, 2.5e-9, 3e-9, 4e-9]}
AWAY = "frame,device,channel_gain\n0,0,1e-9\n0,1,2.5e-9\n1,1,4e-9\n"

ODD = {
    "semicolons": Odd("a.csv", lines("frame;device;channel_gain", SEMICOLONS)),
    "semicolons and decimal commas": Odd("a.csv", lines("frame;device;channel_gain", SEMICOLONS, write=decimal_comma)),
    "tabs": Odd("a.csv", lines("frame\tdevice\tchannel_gain", "{frame}\t{device}\t{gain}")),
    "blanks, as many as line columns up": Odd(
        "a.csv", lines(" frame device  channel_gain", "  {frame}   {device} {gain} ")
    ),
    "another separator": Odd(
        "a.csv", lines("frame:device:channel_gain", "{frame}:{device}:{gain}"), Layout(delimiter=":")
    ),
    "another separator, not said": Odd(
        "a.csv",
        lines("frame:device:channel_gain", "{frame}:{device}:{gain}"),
        complaint="the columns are frame:device:channel_gain; frame=COLUMN tells which one it is",
    ),
    "a sep= line, as Excel writes it": Odd("a.csv", "sep=;\r\n" + lines("frame;device;channel_gain", SEMICOLONS)),
    "remarks before and between": Odd(
        "a.csv", "# made by hand\n#\n" + lines().replace("1,0", "# the second frame, at last\n1,0", 1)
    ),
    "a header as a remark, as numpy.savetxt writes it": Odd(
        "a.csv", lines("# frame device channel_gain", "{frame} {device} {gain}")
    ),
    "no header": Odd(
        "a.csv", lines("0,0,1e-9"), complaint="frame: no such column; the columns are 0, 0, 1e-9; the first line must"
    ),
    "whole numbers as floats": Odd("a.csv", lines(frames=("0.0", "1.0"), devices=("0.0", "1.0"))),
    "doubles in Parquet": Odd("a.parquet", LONG | {"frame": [0.0, 0.0, 1.0, 1.0], "device": [0.0, 1.0, 0.0, 1.0]}),
    "device names": Odd("a.csv", lines(devices=("phone", "meter 7"))),
    "device names in Parquet": Odd("a.parquet", LONG | {"device": ["phone", "meter", "phone", "meter"]}),
    "time stamps": Odd("a.csv", lines(frames=("2026-01-31 12:00:00", "2026-01-31 12:00:00.5"))),
    "time stamps in Parquet": Odd(
        "a.parquet", LONG | {"frame": pa.array([10**18, 10**18, 10**18 + 5, 10**18 + 5], pa.timestamp("ns"))}
    ),
    "seconds since 1970": Odd("a.csv", lines(frames=("1769860800.25", "1769860801.25"))),
    "milliseconds since 1970": Odd("a.csv", lines(frames=(1769860800000, 1769860801000))),
    "compressed": Odd("a.csv.gz", gzip.compress(lines().encode())),
    "compressed and cut short": Odd(
        "a.csv.gz", gzip.compress(lines().encode())[:40], complaint="its compressed data ends too early"
    ),
    "a device that goes": Odd(
        "a.csv", AWAY, complaint="frame 1, device 0: no row; there must be one per frame and device; under"
    ),
    "a device that goes, as said": Odd("a.csv", AWAY, Layout(absent="keep"), [[1e-9, 2.5e-9], [0.0, 4e-9]]),
    "blanks where a device is away": Odd(
        "a.csv", AWAY + "1,0,\n", Layout(absent="keep"), [[1e-9, 2.5e-9], [0.0, 4e-9]]
    ),
    "a blocked ray": Odd("a.csv", AWAY + "1,0,0\n", gain=[[1e-9, 2.5e-9], [0.0, 4e-9]]),
    "decibels": Odd("a.csv", lines(write=lambda gain: repr(decibels(gain))), Layout(gain_unit="db")),
    "decibels, not said": Odd(
        "a.csv",
        lines(write=lambda gain: "-95.2"),
        complaint="it must be at least 0 and at most 1e+06; these may be decibels (gain_unit=db)",
    ),
    "path losses, not said": Odd(
        "a.csv",
        lines(write=lambda gain: "95.2"),
        gain=[[95.2] * 2] * 2,
        warning="path losses in decibels (gain_unit=loss-db)",
    ),
    "path losses": Odd("a.csv", lines(write=lambda gain: repr(-decibels(gain))), Layout(gain_unit="loss-db")),
    "received powers of a lab, by its own names": Odd(
        "a.csv",
        lines("time;UE;RSRP", SEMICOLONS, write=lambda gain: decimal_comma(decibels(gain) + 18)),
        Layout(columns={"frame": "time", "device": "UE", "channel_gain": "RSRP"}, gain_unit="dbm:18"),
    ),
    "amplitudes": Odd("a.npz", {"channel_gain": np.sqrt(SQUARE)}, Layout(gain_unit="amplitude")),
    "complex coefficients": Odd(
        "a.npz", {"channel_gain": SQUARE * 1j}, complaint="a power gain is the squared magnitude of"
    ),
    "complex coefficients of MATLAB": Odd(
        "a.mat", {"input_h": SQUARE * 1j}, complaint="the squared magnitude of the channel coefficient, abs(input_h).^2"
    ),
    "quedge's names in MATLAB": Odd("a.mat", {"channel_gain": SQUARE}),
    "other names in MATLAB": Odd("a.mat", {"H": SQUARE}, Layout(columns={"channel_gain": "H"})),
    "MATLAB 7.3": Odd("7.3.mat", {"input_h": SQUARE}),
    "MATLAB 7.3, complex": Odd("7.3.mat", {"input_h": SQUARE * 1j}, complaint="the squared magnitude"),
    "transposed": Odd(
        "a.npz",
        {"channel_gain": np.full((10, 500), 1e-9)},
        gain=np.full((10, 500), 1e-9),
        warning="500 devices and 10 frames: if these are 10 devices and 500 frames, the matrices must be transposed",
    ),
    "uneven time stamps": Odd(
        "a.csv",
        lines(frames=("0.5", "1.5")) + "9.5,0,1e-9\n9.5,1,1e-9\n",
        gain=[*GAIN, [1e-9, 1e-9]],
        warning="time stamps are not evenly apart, the furthest after 1.5",
    ),
    "frames that are nothing": Odd(
        "a.csv", lines(frames=("one", "two")), complaint="frame: 'one' (row 1) is not allowed"
    ),
}


def written(folder: Path, odd: Odd) -> Path:
    file = folder / odd.name
    if isinstance(odd.content, str):
        file.write_text(odd.content)
    elif isinstance(odd.content, bytes):
        file.write_bytes(odd.content)
    elif odd.name == "7.3.mat":
        with h5py.File(file, "w", userblock_size=512) as archive:
            for name, array in odd.content.items():
                pair = np.dtype([("real", "f8"), ("imag", "f8")])
                archive[name] = array.T if array.dtype.kind == "f" else array.T.copy().view(pair)
        with file.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    elif file.suffix == ".mat":
        savemat(file, odd.content)
    elif file.suffix == ".npz":
        np.savez(file, **odd.content)
    else:
        pq.write_table(pa.table(odd.content), file)
    return file


def assert_read_or_refused(read: Callable[[], Recording], odd: Odd) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if odd.complaint is not None:
            with pytest.raises(ValueError, match=r"a\.|7\.3\.mat") as refusal:
                read()
            assert odd.complaint in str(refusal.value)
            assert len(str(refusal.value).splitlines()) == 1
        else:
            np.testing.assert_allclose(read().channel.values, odd.gain, rtol=1e-13)
    told = [str(warning.message) for warning in caught]
    assert len(told) == (odd.warning is not None)
    assert all(odd.warning in each for each in told if odd.warning is not None)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_file_is_read_right_or_refused_with_cause_and_cure(tmp_path: Path, odd: Odd) -> None:
    file = written(tmp_path, odd)
    assert_read_or_refused(lambda: read_recording(file, layout=odd.layout), odd)


@pytest.mark.parametrize("name", [name for name, odd in ODD.items() if ".csv" in odd.name])
def test_odd_text_is_read_by_numpy_as_by_pyarrow(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    file = written(tmp_path, ODD[name])
    assert_read_or_refused(lambda: read_recording(file, layout=ODD[name].layout), ODD[name])


@pytest.mark.parametrize("name", ["semicolons and decimal commas", "compressed", "device names"])
def test_standard_input_is_read_as_a_text_file_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = ODD[name].content
    raw = content.encode() if isinstance(content, str) else content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))  # type: ignore[arg-type]
    assert_read_or_refused(lambda: read_recording("-"), ODD[name])


def test_matlab_7_3_without_its_library_says_how_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, ODD["MATLAB 7.3"])
    monkeypatch.setattr(errors, "_is_installed", lambda module: module != "h5py")
    with pytest.raises(MissingExtraError, match=r"\(save -v7 writes one that does not need it\), needs h5py"):
        read_recording(file)


# Arrivals beside a channel recording.


def channel_of(folder: Path, devices: tuple[Any, Any] = (0, 1)) -> Recording:
    file = folder / "channel.csv"
    file.write_text(lines(devices=devices))
    return read_recording(file)


def arrivals(folder: Path, text: str, like: Recording | None, **layout: str) -> list[list[float]]:
    file = folder / "arrivals.csv"
    file.write_text("frame,device,arrival_mbit\n" + text)
    return read_recording(file, ["arrival_mbit"], Layout(**layout), like).arrivals.values.tolist()


def test_where_nothing_arrived_a_list_of_arrivals_may_have_no_row(tmp_path: Path) -> None:
    like = channel_of(tmp_path)
    assert arrivals(tmp_path, "1,0,2.5\n", like, arrivals="sparse") == [[0.0, 0.0], [2.5, 0.0]]
    assert arrivals(tmp_path, "1,0,2.5\n0,1,\n", like, arrivals="sparse") == [[0.0, 0.0], [2.5, 0.0]]
    assert arrivals(tmp_path, "4,2,1\n6,3,2\n", None, arrivals="sparse") == [[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]]
    with pytest.raises(ValueError, match=r"frame: a gap after 4 .*under arrivals=sparse nothing arrived there"):
        arrivals(tmp_path, "4,2,1\n6,3,2\n", None)
    with pytest.raises(ValueError, match="frame: 7 is not allowed; the channel recording has 0 to 1"):
        arrivals(tmp_path, "7,0,1\n", like, arrivals="sparse")
    with pytest.raises(ValueError, match="frame 1, device 0: two rows are not allowed"):
        arrivals(tmp_path, "1,0,1\n1,0,2\n", like, arrivals="sparse")
    with pytest.raises(ValueError, match=r"it must be at least 0 and at most 1e\+12; under arrivals=sparse a blank"):
        arrivals(tmp_path, "0,0,1\n0,1,\n1,0,1\n1,1,1\n", like)


def test_devices_with_names_are_those_of_the_channel_recording(tmp_path: Path) -> None:
    like = channel_of(tmp_path, ("phone", "meter"))
    every = "0,meter,1\n0,phone,2\n1,meter,3\n1,phone,4\n"
    assert arrivals(tmp_path, every, like) == [[2.0, 1.0], [4.0, 3.0]]
    assert arrivals(tmp_path, every, None) == [[1.0, 2.0], [3.0, 4.0]]
    assert arrivals(tmp_path, "1,phone,4\n", like, arrivals="sparse") == [[0.0, 0.0], [4.0, 0.0]]
    with pytest.raises(ValueError, match="device: car is not allowed; the channel recording has phone to meter"):
        arrivals(tmp_path, every.replace("phone", "car"), like)


def test_a_file_of_both_may_leave_rows_out_where_a_device_is_away(tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    file.write_text("frame,device,channel_gain,arrival_mbit\n3,0,1e-9,1\n4,0,1e-9,1\n4,1,2e-9,3\n5,1,2e-9,3\n")
    read = read_recording(file, layout=Layout(absent="keep"))
    assert read.channel.values.tolist() == [[1e-9, 0.0], [1e-9, 2e-9], [0.0, 2e-9]]
    assert read.arrivals.values.tolist() == [[1.0, 0.0], [1.0, 3.0], [0.0, 3.0]]


def test_a_table_of_hardly_any_rows_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="99999999 frames of 10 devices, from 0 to 99999998, are not allowed"):
        arrivals(tmp_path, "0,0,1\n99999998,9,1\n", None, arrivals="sparse")


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["gain"], "'gain' is not allowed; it must be KEY=VALUE with a key that is one of delimiter, gain_unit"),
        (["colour=blue"], "'colour=blue' is not allowed"),
        (
            ["gain_unit=dB"],
            "gain_unit: 'dB' is not allowed; it must be one of ratio, db, loss-db, amplitude, dbm:POWER",
        ),
        (["gain_unit=dbm:loud"], "gain_unit: 'dbm:loud' is not allowed"),
        (["absent=gone"], "absent: 'gone' is not allowed; it must be one of refused, keep"),
        (["arrivals=few"], "arrivals: 'few' is not allowed; it must be one of complete, sparse"),
        (["delimiter=::"], "delimiter: '::' is not allowed; it must be one character"),
    ],
)
def test_a_layout_that_is_none_is_refused(texts: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match="is not allowed") as refusal:
        Layout.of(texts)
    assert complaint in str(refusal.value)


def test_a_layout_is_read_from_texts() -> None:
    assert Layout.of(["delimiter=tab", "channel_gain=RSRP", "gain_unit=dbm:-3.5", "device=UE"]) == Layout(
        delimiter="\t", columns={"channel_gain": "RSRP", "device": "UE"}, gain_unit="dbm:-3.5"
    )
