"""A user's own algorithms, devices and framings: the tables below [pqc] of a scenario file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from quedge.pqc.profiles import (
    KEY_EXCHANGES,
    OPERATIONS,
    Algorithm,
    Cycles,
    Device,
    Framing,
    Profiles,
    known_profiles,
)

ROW_TABLES = ("algorithms", "devices", "framings")

Row = TypeVar("Row", Algorithm, Device, Framing)

_MOST = 1e18
_CHOICES = {"kind": tuple(OPERATIONS), "key_exchange": KEY_EXCHANGES}


def profiles_with_rows(source: str, document: Mapping[str, Any], known: Profiles) -> Profiles:
    """The known rows and those of a scenario file: `[pqc.devices.NAME]` and so on.

    A row of a known name replaces single numbers of it. The cycles of a device stand in
    `[pqc.devices.NAME.cycles.ALGORITHM]`, by operation.

    Args:
        source: what messages start with.
        document: the parsed file.
        known: rows to start from.

    Raises:
        ValueError: the message names the place in the file, the value and what is allowed.
    """
    pqc = document.get("pqc")
    tables: dict[str, dict[str, Any]] = {}
    for name in ROW_TABLES:
        given = pqc.get(name, {}) if isinstance(pqc, dict) else {}
        names = [row.name for row in getattr(known, name)]
        tables[name] = _canonical(_table(f"{source}: pqc.{name}", given), names)
    algorithms = list(_rows(source, "algorithms", Algorithm, tables, {row.name: row for row in known.algorithms}))
    framings = list(_rows(source, "framings", Framing, tables, {row.name: row for row in known.framings}))
    counts = {name: dict(_table(f"{source}: pqc.devices.{name}", row)) for name, row in tables["devices"].items()}
    cycles_of = {name: row.pop("cycles", {}) for name, row in counts.items()}
    devices = list(_rows(source, "devices", Device, {"devices": counts}, {row.name: row for row in known.devices}))
    named = known.with_rows(algorithms=algorithms)
    cycles = [
        row
        for device, table in cycles_of.items()
        for row in _cycles(f"{source}: pqc.devices.{device}.cycles", device, table, named)
    ]
    return known.with_rows(algorithms, cycles, devices, framings)


def rows_as_toml(profiles: Profiles) -> list[str]:
    """The rows that do not come with the package, as the lines of a scenario file."""
    known, lines = known_profiles(), []
    for table, rows, kept in (
        ("algorithms", profiles.algorithms, known.algorithms),
        ("devices", profiles.devices, known.devices),
        ("framings", profiles.framings, known.framings),
    ):
        for row in rows:
            if row not in kept:
                lines += ["", f"[pqc.{table}.{toml_text(row.name)}]"]
                fields = {name: value for name, value in dataclasses.asdict(row).items() if value is not None}
                lines += [f"{name} = {_toml(value)}" for name, value in fields.items() if name != "name"]
    for count in profiles.cycles:
        if count not in known.cycles:
            lines += [
                "",
                f"[pqc.devices.{toml_text(count.runs_on)}.cycles.{toml_text(count.algorithm)}.{count.operation}]",
            ]
            lines += [f"cycles = {count.cycles!r}", f"source = {toml_text(count.source)}"]
            lines += [f"build = {toml_text(count.build)}"] if count.build else []
    return lines


def toml_text(text: str) -> str:
    """A text as TOML has it, with quotes; JSON's escapes are TOML's, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _toml(value: Any) -> str:
    return toml_text(value) if isinstance(value, str) else repr(value)


def _rows(
    source: str, table: str, kind: type[Row], tables: Mapping[str, Mapping[str, Any]], known: Mapping[str, Row]
) -> Iterator[Row]:
    """The rows of one table, each checked; those of known names with what they do not say taken from there."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "name"}
    for name, given in tables[table].items():
        place = f"{source}: pqc.{table}.{name}"
        values = {}
        for key, value in _table(place, given).items():
            if key not in fields:
                raise ValueError(f"{place}: {key}: unknown key (value {value!r}); it may have {', '.join(fields)}")
            values[key] = _checked(place, key, value, str(fields[key].type))
        if name in known:
            yield dataclasses.replace(known[name], **({"source": "scenario file"} | values if values else {}))
            continue
        needed = [key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in values]
        if needed:
            raise ValueError(f"{place}: {needed[0]}: is missing; a row of its own needs it")
        yield kind(name=name, **values)


def _cycles(place: str, device: str, table: Any, profiles: Profiles) -> Iterator[Cycles]:
    """Cycles by algorithm and operation; each a number, or a table of `cycles`, `source` and `build`."""
    names = {row.name: row for row in profiles.algorithms}
    for algorithm, operations in _canonical(_table(place, table), list(names)).items():
        if algorithm not in names:
            raise ValueError(f"{place}: {algorithm}: unknown algorithm; it must be one of {', '.join(names)}")
        allowed = OPERATIONS[names[algorithm].kind]
        for operation, value in _table(f"{place}.{algorithm}", operations).items():
            if operation not in allowed:
                raise ValueError(
                    f"{place}.{algorithm}: {operation}: unknown operation; it must be one of {', '.join(allowed)}"
                )
            count, source, build = value, "scenario file", ""
            if isinstance(value, dict):
                unknown = value.keys() - {"cycles", "source", "build"}
                if unknown or "cycles" not in value:
                    raise ValueError(
                        f"{place}.{algorithm}.{operation}: must be a number, or have cycles, and may have source and "
                        "build"
                    )
                count = value["cycles"]
                source, build = (
                    _checked(f"{place}.{algorithm}.{operation}", key, value.get(key, default), "str")
                    for key, default in (("source", source), ("build", build))
                )
            count = _checked(f"{place}.{algorithm}", operation, count, "float")
            yield Cycles(device, algorithm, operation, count, source, build)


def _canonical(table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A table with the names that are known, in any case of letters, as they are known."""
    known = {name.casefold(): name for name in names}
    return {known.get(name.casefold(), name): value for name, value in table.items()}


def _table(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place}: {value!r} is not allowed; it must be a table")
    return value


def _checked(place: str, key: str, value: Any, kind: str) -> Any:
    """A field's value, if it is of the field's type: a text, a whole number of bytes, or a positive number."""
    if key in _CHOICES:
        fine, allowed = value in _CHOICES[key], f"one of {', '.join(_CHOICES[key])}"
    elif kind.startswith("str"):
        fine, allowed = isinstance(value, str), "a text"
    elif kind.startswith("int"):
        fine = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
        allowed = f"an integer, at least 0 and at most {_MOST:g}"
    else:
        fine = isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 < value <= _MOST
        allowed = f"a number, above 0 and at most {_MOST:g}"
    if not fine:
        raise ValueError(f"{place}: {key}: {value!r} is not allowed; it must be {allowed}")
    return float(value) if kind.startswith("float") else value
