from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from quedge import errors
from quedge.errors import MissingExtraError
from quedge.simulation.recordings import text
from quedge.simulation.recordings.recording import Recording, read_recording

# Two frames, numbered from 3, of two devices, numbered from 1.
FRAME, DEVICE = [3, 3, 4, 4], [1, 2, 1, 2]
GAIN, ARRIVAL = [1e-9, 2e-9, 3e-9, 4e-9], [0.0, 1.0, 2.0, 3.0]


def parquet(path: Path, **columns: Sequence[Any] | pa.Array) -> Path:
    file = path / "recording.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def csv(path: Path, text: str) -> Path:
    file = path / "recording.csv"
    file.write_text(text)
    return file


@pytest.fixture(params=["pyarrow", "NumPy"])
def _reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV files are read by pyarrow, and by NumPy as where pyarrow is not installed."""
    if request.param == "NumPy":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.csv", None)


by_both = pytest.mark.usefixtures("_reader")


def packaged(name: str) -> Recording:
    with as_file(files("quedge") / "data" / name) as path:
        return read_recording(path)


def test_the_packaged_walk_holds_gains_of_10_devices_in_5000_frames() -> None:
    walk = packaged("munich_walk.npz")
    assert (walk.frames, walk.devices) == (5000, 10)
    assert walk.channel_gain is not None
    assert walk.channel_gain[0, 0] == pytest.approx(5.877663356024243e-10, rel=1e-12)
    assert walk.arrival_mbit is None


def test_the_published_run_of_lydroo_holds_gains_and_arrivals() -> None:
    run = packaged("lydroo_result_10.mat")
    assert (run.frames, run.devices) == (500, 10)
    assert run.channel.values[0, 0] == pytest.approx(5.10802953e-11)
    assert run.arrivals.values[0, 0] == pytest.approx(6.57532117)


def test_rows_may_be_in_any_order(tmp_path: Path) -> None:
    order = [2, 0, 3, 1]
    columns = {"frame": FRAME, "device": DEVICE, "channel_gain": GAIN, "arrival_mbit": ARRIVAL}
    read = read_recording(parquet(tmp_path, **{name: [v[i] for i in order] for name, v in columns.items()}))
    assert read.channel.values.tolist() == [[1e-9, 2e-9], [3e-9, 4e-9]]
    assert read.arrivals.values.tolist() == [[0.0, 1.0], [2.0, 3.0]]


@by_both
def test_csv_reads_as_parquet_does_and_other_columns_are_ignored(tmp_path: Path) -> None:
    read = read_recording(csv(tmp_path, "device,note,arrival_mbit,frame\n0,a,1.5,0\n1,,2,0\n"))
    assert read.arrivals.values.tolist() == [[1.5, 2.0]]


@by_both
def test_another_column_of_the_same_name_is_no_matter_if_it_is_not_read(tmp_path: Path) -> None:
    read = read_recording(csv(tmp_path, "frame,x,x,device,channel_gain\n0,1,2,0,1\n"))
    assert read.channel.values.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"frame": [0, 0, 2, 2]}, "frame: a gap after 0 is not allowed; the next one there is 2"),
        ({"device": [0, 4, 0, 4]}, "device: a gap after 0"),
        ({"frame": [0, 0, 2**63 - 1, 1]}, "frame: a gap after 1 is not allowed"),
        ({"frame": [0, 0, -1, -1]}, "frame: -1 (row 3) is not allowed; it must be at least 0"),
        (
            {"frame": pa.array([0, 0, 2**63, 1], pa.uint64())},
            "9223372036854775808 (row 3) is not allowed; it must be below",
        ),
        ({"frame": [0.0, 0.0, 3.5, 1.0]}, "frame 1.0, device 1: no row"),
        ({"device": [0.0, 1.5, 0.0, 1.5]}, "device: 1.5 (row 2) is not allowed; it must be an integer, or a name"),
        ({"frame": [3, 3, 4, 3], "device": [1, 2, 1, 1]}, "frame 3, device 1: two rows are not allowed"),
        ({"frame": [3, 3, 4, 5], "device": [1, 2, 1, 1]}, "frame 4, device 2: no row"),
        ({"frame": [np.inf, 3.0, 4.0, 4.0]}, "frame: inf (row 1) is not allowed; it must be an integer"),
        ({"frame": ["3", "3", "4", "x"]}, "frame: 'x' (row 4) is not allowed; it must be an integer"),
        ({"frame": [3, None, 4, 4]}, "frame: no value in row 2"),
        ({"channel_gain": [1.0, None, 1.0, 1.0]}, "channel_gain: no number (blank or NaN) in frame 3, device 2"),
        ({"channel_gain": [None] * 4}, "channel_gain: no number (blank or NaN) in frame 3, device 1"),
        ({"channel_gain": [1.0, 1.1e6, 1.0, 1.0]}, "channel_gain: 1100000.0 in frame 3, device 2 is not allowed"),
        ({"arrival_mbit": [1e12, 1.1e12, 1.0, 1.0]}, "it must be at least 0 and at most 1e+12"),
        ({"channel_gain": [1.0, -2.0, 1.0, 1.0]}, "channel_gain: -2.0 in frame 3, device 2 is not allowed; it must be"),
        ({"channel_gain": [1.0, 1.0, np.nan, 1.0]}, "channel_gain: no number (blank or NaN) in frame 4, device 1"),
        ({"channel_gain": [1.0, 1.0, 1.0, np.inf]}, "channel_gain: inf in frame 4, device 2"),
        ({"channel_gain": [True, True, True, True]}, "channel_gain: True (row 1) is not allowed; it must be a number"),
        ({"arrival_mbit": [0.0, -1.0, 1.0, 1.0]}, "arrival_mbit: -1.0 in frame 3, device 2 is not allowed"),
    ],
)
def test_a_bad_column_is_refused_with_its_place_and_value(
    tmp_path: Path, columns: dict[str, Any], complaint: str
) -> None:
    file = parquet(tmp_path, **({"frame": FRAME, "device": DEVICE, "channel_gain": GAIN} | columns))
    with pytest.raises(ValueError, match=r"recording\.parquet: ") as refusal:
        read_recording(file)
    assert complaint in str(refusal.value)


@by_both
@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("0,0,1\n2,0,1\n", "frame: a gap after 0 is not allowed; the next one there is 2"),
        ("0,0,1\n0,0,1\n", "frame 0, device 0: two rows are not allowed"),
        ("0,0,1\n0,1,1\n1,0,1\n", "frame 1, device 1: no row"),
        ("0,0,1\n-1,0,1\n", "frame: -1 (row 2) is not allowed; it must be at least 0"),
        ("0,0,1\n9223372036854775808,0,1\n", "frame: 9223372036854775808 (row 2) is not allowed; it must be below"),
        ("0,0,1\n3.5,0,1\n", "frame: '3.5' (row 2) is not allowed; it must be an integer"),
        ("0,0,1\n1_0,0,1\n", "frame: '1_0' (row 2) is not allowed; it must be an integer"),
        ("0,0,1\n\n,1,1\n", "frame: no value in row 2; every row needs one"),
        ("0,0,1\n0,NA,1\n", "device: no value in row 2; every row needs one"),
        ("0,0,1\n0,1,x\n", "channel_gain: 'x' (row 2) is not allowed; it must be a number"),
        ("0,0,1\n0,1, nan\n", "channel_gain: no number (blank or NaN) in frame 0, device 1"),
        ("3,1,1\n3,2,\n", "channel_gain: no number (blank or NaN) in frame 3, device 2"),
        ("0,0,1\n0,1,-1\n", "channel_gain: -1.0 in frame 0, device 1 is not allowed; it must be"),
        ("0,0,1\n0,1,inf\n", "channel_gain: inf in frame 0, device 1 is not allowed"),
        ("0,0,1\n0,1,1,5\n", "row 2: 4 values are not allowed; the header names 3"),
    ],
)
def test_a_bad_row_of_a_csv_file_is_refused_with_its_place_and_value(tmp_path: Path, rows: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"recording\.csv: ") as refusal:
        read_recording(csv(tmp_path, f"frame,device,channel_gain\n{rows}"))
    assert complaint in str(refusal.value)


@by_both
def test_csv_files_as_other_programs_write_them_are_read(tmp_path: Path) -> None:
    file = tmp_path / "recording.csv"
    file.write_bytes('\ufeff"frame", device,channel_gain\r\n0, 0,"1e-9"\r\n\r\n0,1, 2E-9\r\n'.encode())
    assert read_recording(file).channel.values.tolist() == [[1e-9, 2e-9]]


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_BLOCK_BYTES", 100)


DEVICES = 3
ROWS = [f"{frame},{device},{frame + device / 8 + 1}\n" for frame in range(60) for device in range(DEVICES)]
"""Some twenty small blocks."""


def rows_by_frame_descending() -> list[str]:
    return ROWS[::-1]


def rows_by_device_then_frame() -> list[str]:
    return [row for device in range(DEVICES) for row in ROWS[device::DEVICES]]


def rows_at_random() -> list[str]:
    return [ROWS[i] for i in np.random.default_rng(0).permutation(len(ROWS))]


@by_both
@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("rows", [lambda: ROWS, rows_by_frame_descending, rows_by_device_then_frame, rows_at_random])
def test_a_file_of_many_blocks_is_read_in_any_order_of_its_rows(tmp_path: Path, rows: Callable[[], list[str]]) -> None:
    read = read_recording(csv(tmp_path, "frame,device,arrival_mbit\n" + "".join(rows())))
    assert np.array_equal(read.arrivals.values, np.arange(60)[:, None] + np.arange(DEVICES) / 8 + 1)


@by_both
@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize(
    ("row", "there", "complaint"),
    [
        (100, "33,0,x\n", "arrival_mbit: 'x' (row 100) is not allowed; it must be a number"),
        (101, "33,1.5,2\n", "device: '1.5' (row 101) is not allowed; it must be an integer"),
        (102, "0x21,2,2\n", "frame: '0x21' (row 102) is not allowed; it must be an integer"),
        (103, "34,,2\n", "device: no value in row 103; every row needs one"),
        (104, "34,1\n", "row 104: 2 values are not allowed; the header names 3"),
        (105, "34,-2,2\n", "device: -2 (row 105) is not allowed; it must be at least 0"),
        (106, "35,0,-2\n", "arrival_mbit: -2.0 in frame 35, device 0 is not allowed"),
        (107, "35,1,nan\n", "arrival_mbit: no number (blank or NaN) in frame 35, device 1"),
        (108, "", "frame 35, device 2: no row; there must be one per frame and device"),
        (109, "36,1,2\n", "frame 36, device 1: two rows are not allowed; there must be one"),
        (110, '36,"1"2,2\n', "cannot be read as CSV: ',' expected after"),
        (111, '36,2,"2\n', "cannot be read as CSV: unexpected end of data"),
    ],
)
def test_what_is_wrong_in_the_middle_of_a_large_file_is_named_with_its_place(
    tmp_path: Path, row: int, there: str, complaint: str
) -> None:
    rows = [*ROWS[: row - 1], there, *ROWS[row:]]
    rows.insert(50, "\n")  # a blank line is no row
    with pytest.raises(ValueError, match=r"recording\.csv: ") as refusal:
        read_recording(csv(tmp_path, "frame,device,arrival_mbit\n" + "".join(rows)))
    assert complaint in str(refusal.value)


@by_both
@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize(
    "cells",
    [
        ("33", "0", "34"),
        ('"33"', '"0"', '"34"'),
        (" 33", "0\t", " 3.4E+1 "),
        ("+33", "-0", "+34."),
        ("33", "\u0660", "34\u00a0"),
        ("33.0", "0.", "34"),
    ],
)
@pytest.mark.parametrize("note", ["", "0x1", '"a, b"', '"a ""b"""', '"a\nb\n\nc"', '5" wide', "\ufeff"])
def test_odd_ways_of_writing_a_row_are_read_amid_plain_ones(tmp_path: Path, cells: Sequence[str], note: str) -> None:
    rows = [f"plain,{row}" for row in ROWS]
    rows[99] = f"{note},{','.join(cells)}\n"
    read = read_recording(csv(tmp_path, "note,frame,device,arrival_mbit\n" + "".join(rows)))
    assert np.array_equal(read.arrivals.values, np.arange(60)[:, None] + np.arange(DEVICES) / 8 + 1)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_what_is_read_can_be_written_to(tmp_path: Path, order: slice) -> None:
    file = parquet(tmp_path, frame=FRAME[order], device=DEVICE[order], channel_gain=GAIN[order])
    assert read_recording(file).channel.values.flags.writeable  # kernels are compiled for such arrays


def test_a_numpy_archive_holds_arrays_of_frames_and_devices(tmp_path: Path) -> None:
    file = tmp_path / "recording.npz"
    gain, arrival = np.array([[1e-9, 2e-9]]), np.array([[0, 3]])
    np.savez(file, channel_gain=gain, arrival_mbit=arrival, place=np.ones(4))
    read = read_recording(file)
    assert (read.channel.values.tolist(), read.arrivals.values.tolist()) == ([[1e-9, 2e-9]], [[0.0, 3.0]])
    for variables, complaint in (
        ({"other": gain}, "channel_gain or arrival_mbit: no such variable; the variables are other"),
        ({"channel_gain": gain, "arrival_mbit": gain.T}, r"arrival_mbit: shape \(2, 1\) is not allowed"),
        ({"channel_gain": gain[0]}, "channel_gain: must be a matrix of real numbers, one row per frame"),
        ({"channel_gain": np.array([[object()]])}, "recording.npz: cannot be read as a NumPy archive"),
        ({"arrival_mbit": -gain}, "arrival_mbit: -1e-09 in frame 0, device 0 is not allowed"),
    ):
        np.savez(file, **variables)
        with pytest.raises(ValueError, match=complaint):
            read_recording(file)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "mine.parquet",
            r"reading mine\.parquet needs pyarrow, which is not installed: pip install 'quedge\[parquet\]'",
        ),
        ("mine.mat", r"reading mine\.mat needs SciPy, which is not installed: pip install 'quedge\[matlab\]'"),
    ],
)
def test_a_file_that_needs_a_missing_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, complaint: str
) -> None:
    monkeypatch.setattr(errors, "_is_installed", lambda module: False)
    (tmp_path / name).touch()
    with pytest.raises(MissingExtraError, match=complaint):
        read_recording(tmp_path / name)


@pytest.mark.parametrize("integer", [np.uint64, np.int8])
@pytest.mark.parametrize("number", [np.uint64, np.int8, np.float16, np.float32])
def test_parquet_columns_of_other_widths_are_read(tmp_path: Path, integer: type, number: type) -> None:
    frame, arrival = np.array(FRAME, integer), np.array([1, 2, 3, 4], number)
    read = read_recording(parquet(tmp_path, frame=pa.array(frame), device=DEVICE, arrival_mbit=pa.array(arrival)))
    assert read.arrivals.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("missing", ["frame", "device", "channel_gain"])
def test_a_missing_column_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    columns = {"frame": FRAME, "device": DEVICE, "channel_gain": GAIN}
    del columns[missing]
    with pytest.raises(ValueError, match=missing):
        read_recording(parquet(tmp_path, **columns))


def test_what_is_not_wanted_is_neither_read_nor_checked(tmp_path: Path) -> None:
    columns = {"frame": FRAME, "device": DEVICE, "channel_gain": ["x"] * 4, "arrival_mbit": ARRIVAL}
    read = read_recording(parquet(tmp_path, **columns), ["arrival_mbit"])
    assert read.channel_gain is None
    assert read.arrivals.values.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    text = "frame,device,channel_gain,arrival_mbit\n0,0,1e-9,-1\n"
    assert read_recording(csv(tmp_path, text), ["channel_gain"]).channel.values.tolist() == [[1e-9]]
    savemat(tmp_path / "run.mat", {"input_h": np.ones((2, 3)), "data_arrival": -np.ones((3, 3))})
    assert read_recording(tmp_path / "run.mat", ["channel_gain"]).frames == 2


def test_a_missing_column_is_refused_with_the_columns_that_are_there(tmp_path: Path) -> None:
    file = csv(tmp_path, "Frame,device,gain\n0,0,1\n")
    with pytest.raises(ValueError, match="frame: no such column; the columns are Frame, device, gain"):
        read_recording(file)


def test_a_csv_file_in_another_encoding_is_refused_as_such(tmp_path: Path) -> None:
    file = tmp_path / "recording.csv"
    file.write_bytes("frame,device,channel_gain\n0,0,1\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"recording\.csv: is not a text file in UTF-8"):
        read_recording(file)


@by_both
def test_a_recording_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rows"):
        read_recording(csv(tmp_path, "frame,device,channel_gain\n"))


def test_a_damaged_file_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    whole = parquet(tmp_path, frame=FRAME, device=DEVICE, channel_gain=GAIN).read_bytes()
    np.savez(tmp_path / "whole.npz", channel_gain=np.ones((2, 3)))
    archive = (tmp_path / "whole.npz").read_bytes()
    for name, content in (
        ("empty.parquet", b""),
        ("short.parquet", whole[: len(whole) // 2]),
        ("torn.parquet", whole[:4] + b"\xff" * 60 + whole[64:]),
        ("empty.csv", b""),
        ("ragged.csv", b"frame,device,channel_gain\n1,2\n"),
        ("quote.csv", b'frame,device,channel_gain\n0,0,"1\n'),
        ("empty.npz", b""),
        ("short.npz", archive[: len(archive) // 2]),
        ("torn.npz", archive[:70] + b"\xff" * 60 + archive[130:]),
        ("empty.mat", b""),
        ("noise.mat", bytes(range(256)) * 8),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_recording(file)


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        read_recording(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match=r"must end in \.csv, \.csv\.gz, \.npz, \.parquet or \.mat"):
        read_recording(tmp_path / "trace.xlsx")


def test_matlab_variables_of_other_shapes_and_values_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.mat"
    ones = np.ones((2, 3))
    for variables, complaint in (
        (
            {"other": ones},
            r"input_h \(channel_gain\) or data_arrival \(arrival_mbit\): no such variable; the variables are other",
        ),
        ({"input_h": ones, "data_arrival": np.ones((3, 3))}, r"data_arrival: shape \(3, 3\)"),
        ({"input_h": "text"}, "input_h: must be a matrix of real numbers"),
        ({"input_h": -ones}, "input_h: -1.0 in frame 0, device 0"),
    ):
        savemat(file, variables)
        with pytest.raises(ValueError, match=complaint):
            read_recording(file)


def test_playing_what_was_not_recorded_is_refused(tmp_path: Path) -> None:
    read = read_recording(parquet(tmp_path, frame=FRAME, device=DEVICE, channel_gain=GAIN))
    with pytest.raises(ValueError, match="arrival_mbit: no such column"):
        _ = read.arrivals
