"""Scenario files and settings: read, checked and written as TOML."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from quedge.errors import is_integer, is_number, not_allowed, one_of
from quedge.files.atomic import whole_file
from quedge.model.scenario import PARAMETERS, Kind, Parameter, Scenario
from quedge.model.security import DERIVED
from quedge.pqc.profiles import KEY_EXCHANGES, OPERATIONS, Algorithm, Cycles, Device, Framing, Profiles, known_profiles

_GROUPS = tuple(dict.fromkeys(parameter.group for parameter in PARAMETERS.values()))
_MAX_SHOWN = 60  # characters of a refused value in a message
_TYPES = {Kind.NUMBER: float, Kind.INTEGER: int, Kind.NAME: str, Kind.FLAG: bool}

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""What an algorithm, a device or a framing may be called, where a setting has no quotes."""

Row = TypeVar("Row", Algorithm, Device, Framing)

_ROWS: dict[str, Any] = {"algorithms": Algorithm, "devices": Device, "framings": Framing}
"""Tables of a user's own rows below [pqc], and what a row of each is."""
_CHOICES = {"kind": tuple(OPERATIONS), "key_exchange": KEY_EXCHANGES}
_MAX_NUMBER = 1e18


@dataclasses.dataclass(frozen=True)
class ParsedScenario:
    """A scenario as its user gave it.

    Attributes:
        scenario: the scenario, checked.
        fixes_devices: whether the number of devices is given, as such or by a list with one value per device.
    """

    scenario: Scenario
    fixes_devices: bool


class Preset(NamedTuple):
    """A key's value, of the key's type, that an option of a command gives; messages name the option."""

    option: str
    key: str
    value: Any


def read_scenario(
    path: str | Path | None = None,
    settings: Sequence[str] = (),
    recorded_devices: int | None = None,
    presets: Sequence[Preset] = (),
) -> ParsedScenario:
    """Read a scenario file and apply settings to it.

    A key stands in its group's table or above all tables. Settings come last.

    Args:
        path: a TOML file; the defaults without one.
        settings: `key=value`, the value written as in TOML.
        recorded_devices: the number of devices where neither the file nor a setting gives it.
        presets: values that go before all others.

    Returns:
        The scenario.

    Raises:
        ValueError: the message names the file or setting, the key, the value and what is allowed.
    """
    keys, profiles = read_keys(path)
    source = dict.fromkeys(keys, str(path))
    for setting in settings:
        key, value = _parsed_setting(setting)
        if source.get(key, "").startswith("--set"):
            raise ValueError(f"--set {_shown(setting)}: {key}: is set twice; once is allowed")
        keys |= checked_keys(f"--set {_shown(setting)}", {key: value})
        source[key] = f"--set {_shown(setting)}"
    keys |= {preset.key: preset.value for preset in presets}
    source |= {preset.key: preset.option for preset in presets}
    fixes_devices = "devices" in keys or any(isinstance(value, list) for value in keys.values())
    if recorded_devices is not None and "devices" not in keys:
        keys["devices"] = recorded_devices
    try:
        return ParsedScenario(Scenario(**keys, profiles=profiles), fixes_devices)
    except ValueError as error:
        key = re.split(r"\W", str(error), maxsplit=1)[0]
        raise ValueError(f"{source.get(key, path or 'scenario')}: {error}") from None


def read_keys(path: str | Path | None) -> tuple[dict[str, Any], Profiles]:
    """The keys of a scenario file, each of the right type, and the profiles with its rows; none without a file.

    Raises:
        ValueError: as `read_scenario`, but for what only a scenario refuses.
    """
    if path is None:
        return {}, known_profiles()
    document = read_toml(Path(path))
    profiles = _with_rows(str(path), document, known_profiles())
    return checked_keys(str(path), _flat(str(path), document)), profiles


def write_scenario(scenario: Scenario, path: str | Path) -> None:
    """Write a scenario as a TOML file that reads back as the same cell; never half of it.

    Defaults that depend on the number of devices are written as the values that they stand for, so that the file
    means the same wherever it is read.
    """
    with whole_file(Path(path)) as file:
        file.write(_document(scenario, commented=False).encode())


def commented_template() -> str:
    """A scenario file with every key, its meaning, unit, range and default."""
    return _document(Scenario(), commented=True)


def _document(scenario: Scenario, commented: bool) -> str:
    lines = []
    if commented:
        lines += textwrap.wrap(
            "A scenario of quedge. Every key is optional and stands here with its default; it can also be set with "
            "`--set key=value`. Keys marked 'per device' take one number for all devices or a list with one number "
            "for each. Keys that are commented out depend on the number of devices, which a recording or the frames "
            "to decide may give, or belong to a suite of post-quantum algorithms, which takes the place of the "
            "constants above it, or have no default.",
            width=100, initial_indent="# ", subsequent_indent="# ",
        )  # fmt: skip
    for group, names in groupby(sorted(PARAMETERS, key=_group_of), key=_group_of):
        lines += ["", f"[{_GROUPS[group]}]"]
        for name in names:
            parameter, value = PARAMETERS[name], getattr(scenario, name)
            if commented:
                allowed = parameter.allowed
                remarks = (parameter.unit, allowed, "per device" if parameter.per_device else "")
                lines.append(f"# {parameter.meaning} ({'; '.join(remark for remark in remarks if remark)})")
            left_open = value is None or name == "devices"
            if value is None and parameter.example is not None:
                if not commented:
                    continue  # left out, or as the suite has it
                value = parameter.example
            elif scenario.suite is not None and name in DERIVED:
                continue  # follows from the suite
            value = scenario.per_device(name).tolist() if value is None else value
            lines.append(f"{'# ' if commented and left_open else ''}{name} = {toml_text(value)}")
        if _GROUPS[group] == "pqc":
            lines += _rows_as_toml(scenario.profiles)
    return "\n".join(lines).lstrip("\n") + "\n"


def _group_of(name: str) -> int:
    return _GROUPS.index(PARAMETERS[name].group)


def toml_text(value: Any) -> str:
    """A value as TOML: JSON's escapes of texts and Python's shortest exact form of a number are TOML, too."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_text, value))}]"
    return repr(value)


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file's keys; a ValueError that names it where it cannot be read, or is none."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a text file in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is not valid TOML: {str(error).splitlines()[0]}") from None


def _parsed_setting(setting: str) -> tuple[str, Any]:
    key, equals, text = (part.strip() for part in setting.partition("="))
    if not equals or not key or not text:
        raise ValueError(f"--set {_shown(setting)}: is not allowed; it must be key=value")
    value = toml_value(text)
    if value is None:
        if key not in PARAMETERS:
            raise ValueError(f"--set {_shown(setting)}: {unknown_key(key, text)}")
        if PARAMETERS[key].kind is Kind.NAME and NAME.fullmatch(text):
            return key, text  # a shell takes quotes away
        raise ValueError(f"--set {_shown(setting)}: {key}: {_shown(text)} is not allowed; it must be {_kind_of(key)}")
    return key, value


def toml_value(text: str) -> Any:
    """A value as TOML writes it; None where the text is none."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return document["value"] if document.keys() == {"value"} else None


def _flat(source: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without their tables; a key in a table that is not its own is refused."""
    keys: dict[str, Any] = {}
    for name, value in document.items():
        if name not in _GROUPS:
            keys[name] = value
        elif not isinstance(value, dict):
            raise ValueError(f"{source}: {name}: must be a table, [{name}], with keys of its own")
    for group in _GROUPS:
        table = document.get(group)
        for name, value in table.items() if isinstance(table, dict) else ():
            if group == "pqc" and name in _ROWS:
                continue
            own = PARAMETERS[name].group if name in PARAMETERS else group
            if own != group:
                raise ValueError(f"{source}: {name}: the table [{group}] is not allowed; it must stand in [{own}]")
            if name in keys:
                raise ValueError(f"{source}: {name}: is given twice; it may stand above all tables or in [{group}]")
            keys[name] = value
    return keys


def checked_keys(source: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys, each known and of the right type; ranges and lengths are the scenario's to check.

    Raises:
        ValueError: it starts with `source` and names the key, the value and what is allowed.
    """
    checked = {}
    for key in (name for name in PARAMETERS if name in keys):
        checked[key] = _of_its_type(PARAMETERS[key], keys[key])
        if checked[key] is None:
            raise ValueError(f"{source}: {key}: {_shown(repr(keys[key]))} is not allowed; it must be {_kind_of(key)}")
    for key in keys:
        if key not in checked:
            raise ValueError(f"{source}: {unknown_key(key, repr(keys[key]))}")
    return checked


def _of_its_type(parameter: Parameter, value: Any) -> Any:
    """A key's value, numbers as floats; None where it is of another type; a truth value is no number."""
    if parameter.per_device and isinstance(value, list):
        numbers = [_of_kind(Kind.NUMBER, each) for each in value]
        return None if None in numbers else numbers
    return _of_kind(parameter.kind, value)


def _of_kind(kind: Kind, value: Any) -> Any:
    if kind is Kind.NUMBER and is_integer(value):
        with contextlib.suppress(OverflowError):
            return float(value)
    is_of_it = is_integer(value) if kind is Kind.INTEGER else isinstance(value, _TYPES[kind])
    return value if is_of_it else None


def _kind_of(key: str) -> str:
    """What a key takes, in words."""
    parameter = PARAMETERS[key]
    each = " or a list with one number per device" if parameter.per_device else ""
    if parameter.kind in (Kind.NAME, Kind.FLAG):
        return parameter.allowed
    return f"{'an integer' if parameter.kind is Kind.INTEGER else f'a number{each}'}, {parameter.allowed}"


def unknown_key(key: str, value: str) -> str:
    """What is said of a key that no scenario has, and of the value that it was given."""
    close = difflib.get_close_matches(key.rpartition(".")[2], [*PARAMETERS, *_GROUPS], n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{_shown(key)}: unknown key (value {_shown(value)}); {meant}`quedge init` lists the keys"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."


def _with_rows(source: str, document: Mapping[str, Any], known: Profiles) -> Profiles:
    """The known rows and those of a scenario file: `[pqc.devices.NAME]` and so on.

    A row of a known name replaces single numbers of it. The cycles of a device stand in
    `[pqc.devices.NAME.cycles.ALGORITHM]`, by operation.

    Raises:
        ValueError: the message names the place in the file, the value and what is allowed.
    """
    pqc = document.get("pqc")
    given = pqc if isinstance(pqc, dict) else {}
    rows: dict[str, list[Any]] = {}
    cycles_of: dict[str, Any] = {}
    for table, kind in _ROWS.items():
        named = {row.name: row for row in getattr(known, table)}
        rows[table] = []
        for name, row in _canonical(_table(f"{source}: pqc.{table}", given.get(table, {})), named).items():
            place = f"{source}: pqc.{table}.{name}"
            values = dict(_table(place, row))
            if table == "devices":
                cycles_of[name] = values.pop("cycles", {})
            rows[table].append(_row(place, kind, name, values, named.get(name)))
    extended = known.with_rows(rows["algorithms"])
    cycles = [
        row
        for device, table in cycles_of.items()
        for row in _cycles(f"{source}: pqc.devices.{device}.cycles", device, table, extended)
    ]
    return known.with_rows(rows["algorithms"], cycles, rows["devices"], rows["framings"])


def _row(place: str, kind: type[Row], name: str, given: Mapping[str, Any], known: Row | None) -> Row:
    """A row, checked; one of a known name takes from there what the file does not give."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "name"}
    values = {}
    for key, value in given.items():
        if key not in fields:
            raise ValueError(f"{place}: {key}: unknown key (value {value!r}); it may have {', '.join(fields)}")
        values[key] = _checked(place, key, value, str(fields[key].type))
    if known is not None:
        return dataclasses.replace(known, **({"source": "scenario file"} | values if values else {}))
    for key, field in fields.items():
        if field.default is dataclasses.MISSING and key not in values:
            raise ValueError(f"{place}: {key}: is missing; a row of its own needs it")
    return kind(name=name, **values)


def _cycles(place: str, device: str, table: Any, profiles: Profiles) -> Iterator[Cycles]:
    """Cycles by algorithm and operation; each a number, or a table of `cycles`, `source` and `build`."""
    kinds = {row.name: row.kind for row in profiles.algorithms}
    for algorithm, operations in _canonical(_table(place, table), kinds).items():
        if algorithm not in kinds:
            raise ValueError(f"{place}: {algorithm}: unknown algorithm; it must be {one_of(kinds)}")
        where = f"{place}.{algorithm}"
        for operation, value in _table(where, operations).items():
            if operation not in OPERATIONS[kinds[algorithm]]:
                allowed = one_of(OPERATIONS[kinds[algorithm]])
                raise ValueError(f"{where}: {operation}: unknown operation; it must be {allowed}")
            row = value if isinstance(value, dict) else {"cycles": value}
            if "cycles" not in row or row.keys() - {"cycles", "source", "build"}:
                raise ValueError(
                    f"{where}.{operation}: must be a number, or have cycles, and may have source and build"
                )
            source, build = (
                _checked(f"{where}.{operation}", key, row.get(key, default), "str")
                for key, default in (("source", "scenario file"), ("build", ""))
            )
            count = _checked(where, operation, row["cycles"], "float")
            yield Cycles(device, algorithm, operation, count, source, build)


def _rows_as_toml(profiles: Profiles) -> list[str]:
    """The rows that do not come with the package, as the lines of a scenario file."""
    known, lines = known_profiles(), []
    for table in _ROWS:
        for row in getattr(profiles, table):
            if row not in getattr(known, table):
                lines += ["", f"[pqc.{table}.{toml_text(row.name)}]"]
                fields = {key: value for key, value in dataclasses.asdict(row).items() if value is not None}
                lines += [f"{key} = {toml_text(value)}" for key, value in fields.items() if key != "name"]
    for count in profiles.cycles:
        if count not in known.cycles:
            lines += [
                "",
                f"[pqc.devices.{toml_text(count.runs_on)}.cycles.{toml_text(count.algorithm)}.{count.operation}]",
            ]
            lines += [f"cycles = {toml_text(count.cycles)}", f"source = {toml_text(count.source)}"]
            lines += [f"build = {toml_text(count.build)}"] if count.build else []
    return lines


def _canonical(table: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A table with the names that are known, in any case of letters, as they are known."""
    known = {name.casefold(): name for name in names}
    return {known.get(name.casefold(), name): value for name, value in table.items()}


def _table(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise not_allowed(place, value, "a table")
    return value


def _checked(place: str, key: str, value: Any, kind: str) -> Any:
    """A field's value, if it is of the field's type: a text, a whole number of bytes, or a positive number."""
    if key in _CHOICES:
        fine, allowed = value in _CHOICES[key], one_of(_CHOICES[key])
    elif kind.startswith("str"):
        fine, allowed = isinstance(value, str), "a text"
    elif kind.startswith("int"):
        fine = is_integer(value) and 0 <= value <= _MAX_NUMBER
        allowed = f"an integer, at least 0 and at most {_MAX_NUMBER:g}"
    else:
        fine = is_number(value) and 0.0 < value <= _MAX_NUMBER
        allowed = f"a number, above 0 and at most {_MAX_NUMBER:g}"
    if not fine:
        raise not_allowed(f"{place}: {key}", value, allowed)
    return float(value) if kind.startswith("float") else value
