"""A run's trace as a file: one row per frame and device, or one array per quantity."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from quedge.errors import check_installed, not_allowed, one_of
from quedge.simulation.columns import columns_of, quantities_of
from quedge.simulation.trace import Trace

_ROWS = 1 << 14  # of a table of text that are made at once


def check_format(name: str) -> None:
    """Refuse a format that is unknown or cannot be written with what is installed.

    Raises:
        ValueError: it is unknown.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    if name not in FORMATS:
        raise not_allowed("--traces", name, one_of(FORMATS))
    if name == "parquet":
        check_installed("pyarrow", "--traces parquet", "pyarrow", "parquet")


class TraceWriter(ABC):
    """Writes a run's trace, part by part; `read_recording` reads its channel gains and arrivals back.

    A CSV or Parquet file has one row per frame and device; what belongs to a frame stands in each of its rows. A NumPy
    archive has an array of shape (frames, devices) or (frames,) for each quantity. What the policy was told and
    promised is there where the world is not as it assumes. Numbers are written exactly.

    As a context, it ends the file where nothing went wrong.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Nothing is written yet of a trace into `file`, which the caller closes."""
        self._file = file
        self._names: list[str] = []
        self._frames = 0

    def add(self, part: Trace) -> None:
        """Write the next frames.

        Raises:
            ValueError: the policy notes what it did not note in the first part.
        """
        quantities = quantities_of(part)
        self._names = self._names or list(quantities)
        late = [name for name in quantities if name not in self._names]
        if late:
            note = late[0].removeprefix("policy_")
            raise ValueError(
                f"{note}: the policy first notes it after frame {self._frames}, too late for a trace's file; "
                "it must note it in the first frames, too, or have it in `note_names`"
            )
        missing = np.full(part.frames, np.nan)
        self._write({name: quantities.get(name, missing) for name in self._names})
        self._frames += part.frames

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._end(complete=kind is None)

    @abstractmethod
    def _write(self, quantities: Mapping[str, NDArray[Any]]) -> None:
        """Write the next frames of every quantity."""

    @abstractmethod
    def _end(self, complete: bool) -> None:
        """Write what ends the file, if it is complete."""


class _CsvWriter(TraceWriter):
    """A decision is 1 or 0, and what a policy does not tell, such as a bound, is left blank rather than NaN.

    A number is the shortest text that reads back as it. Where pyarrow is installed, it writes: several times as fast,
    and without the 0 of 3.0 and of e-09.
    """

    def _write(self, quantities: Mapping[str, NDArray[Any]]) -> None:
        columns = {
            name: column.astype(np.int8) if column.dtype.kind == "b" else column
            for name, column in columns_of(quantities, self._frames).items()
        }
        if self._frames == 0:
            self._file.write(f"{','.join(columns)}\n".encode())
        try:
            import pyarrow.csv  # noqa: F401
        except ModuleNotFoundError:
            self._write_rows(columns)
        else:
            self._write_table(columns)

    def _write_table(self, columns: Mapping[str, NDArray[Any]]) -> None:
        import pyarrow as pa
        from pyarrow import csv as table_csv

        table = pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
        options = table_csv.WriteOptions(include_header=False, quoting_style="none")
        table_csv.write_csv(table, self._file, options)

    def _write_rows(self, columns: Mapping[str, NDArray[Any]]) -> None:
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        rows = csv.writer(text, lineterminator="\n")
        for first in range(0, columns["frame"].size, _ROWS):
            rows.writerows(zip(*(_cells(column[first : first + _ROWS]) for column in columns.values()), strict=True))
        text.detach()  # flushed, and the file is the caller's

    def _end(self, complete: bool) -> None:
        """A table of text has no end of its own."""


def _cells(column: NDArray[Any]) -> list[Any]:
    cells: list[Any] = column.tolist()
    return ["" if cell != cell else cell for cell in cells] if column.dtype.kind == "f" else cells


class _NpzWriter(TraceWriter):
    """Each quantity stands in a file of its own until its length is known."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._raw: dict[str, IO[bytes]] = {}
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def _write(self, quantities: Mapping[str, NDArray[Any]]) -> None:
        name = getattr(self._file, "name", None)
        folder = os.path.dirname(name) if isinstance(name, str) else None
        for name, values in quantities.items():
            if name not in self._raw:
                self._raw[name] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed at the end
                self._kinds[name] = values.dtype, values.shape[1:]
            self._raw[name].write(np.ascontiguousarray(values).data)

    def _end(self, complete: bool) -> None:
        try:
            if complete:
                self._pack()
        finally:
            for raw in self._raw.values():
                raw.close()

    def _pack(self) -> None:
        with zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, raw in self._raw.items():
                kind, shape = self._kinds[name]
                header = {"descr": kind.str, "fortran_order": False, "shape": (self._frames, *shape)}
                raw.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array_header_2_0(entry, header)
                    shutil.copyfileobj(raw, entry, 1 << 20)


class _ParquetWriter(TraceWriter):
    """What a policy does not tell is null rather than NaN."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._tables: Any = None

    def _write(self, quantities: Mapping[str, NDArray[Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = columns_of(quantities, self._frames)
        table = pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
        if self._tables is None:
            self._tables = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._tables.write_table(table)

    def _end(self, complete: bool) -> None:
        if self._tables is not None:
            self._tables.close()


FORMATS: dict[str, type[TraceWriter]] = {"csv": _CsvWriter, "npz": _NpzWriter, "parquet": _ParquetWriter}
"""What a trace's file may be, by the ending of its name."""
