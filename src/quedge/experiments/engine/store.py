"""Findings on disk: one Parquet file per job, named by what determines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.experiments.fingerprint import determinants, digest_of, name_of
from quedge.experiments.job import Findings, Job, Series
from quedge.files.atomic import whole_file

_METADATA = b"quedge"


class Store:
    """A folder of findings.

    A file has one row per number, in columns `measure`, `at` (the place in a series; empty for a single number) and
    `value`. Its metadata, under the key `quedge`, is JSON: what determined the findings (`determined_by`), a digest of
    the rows (`content`), the time that they took (`elapsed_s`), and the libraries' `versions`.
    """

    def __init__(self, folder: Path) -> None:
        """The store in a folder, which need not exist."""
        self.folder = folder

    def path(self, job: Job) -> Path:
        """The file of a job's findings.

        Raises:
            ValueError: see `fingerprint.determinants`.
        """
        return self.folder / f"{name_of(job)}.parquet"

    def load(self, job: Job) -> Findings | None:
        """A job's findings; None where it has not run.

        Raises:
            ValueError: the file is damaged; the message names it.
            OSError: it cannot be read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(job)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            table = pq.read_table(pa.BufferReader(content), columns=["measure", "at", "value"])
            about = json.loads((table.schema.metadata or {})[_METADATA])
            names, at, value = table["measure"].to_pylist(), table["at"].to_numpy(), table["value"].to_numpy()
            whole = digest_of(about["determined_by"]) == path.stem and _content(names, at, value) == about["content"]
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes may raise anything
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path}: is damaged: {why}") from None
        if not whole:
            raise ValueError(f"{path}: is damaged: it holds another cell, or other numbers than were written")
        rows: dict[str, list[int]] = {}
        for row, measure in enumerate(names):
            rows.setdefault(measure, []).append(row)
        return {
            measure: float(value[places[0]])
            if len(places) == 1 and np.isnan(at[places[0]])
            else Series(at[places], value[places])
            for measure, places in rows.items()
        }

    def save(self, job: Job, findings: Findings, elapsed_s: float, ran_with: Mapping[str, str]) -> None:
        """Write a job's findings, its wall time (s) and the versions that it ran with, as a whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        several = {
            measure: found if isinstance(found, Series) else Series(np.array([np.nan]), np.array([found]))
            for measure, found in findings.items()
        }
        measures = [measure for measure, series in several.items() for _ in range(series.value.size)]
        at = np.concatenate([np.empty(0), *(series.at for series in several.values())])
        value = np.concatenate([np.empty(0), *(series.value for series in several.values())])
        determined_by = determinants(job)
        about = {
            "determined_by": determined_by,
            "content": _content(measures, at, value),
            "elapsed_s": round(elapsed_s, 3),
            "versions": dict(ran_with),
        }
        table = pa.table(
            {
                "measure": pa.array(measures, pa.string()).dictionary_encode(),
                "at": pa.array(at, pa.float64(), mask=np.isnan(at)),
                "value": pa.array(value, pa.float64()),
            }
        ).replace_schema_metadata({_METADATA: json.dumps(about, sort_keys=True).encode()})
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder / f"{digest_of(determined_by)}.parquet") as file:
            pq.write_table(table, file, compression="zstd")


def _content(measures: Sequence[str], at: NDArray[np.float64], value: NDArray[np.float64]) -> str:
    """A digest of all rows."""
    digest = hashlib.blake2b("\n".join(measures).encode(), digest_size=12)
    for numbers in (at, value):
        digest.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())  # all NaN are alike
    return digest.hexdigest()


def metadata_of(path: Path) -> dict[str, Any]:
    """The metadata of a file; see `Store`."""
    import pyarrow.parquet as pq

    about: dict[str, Any] = json.loads(pq.read_schema(path).metadata[_METADATA])
    return about
