"""Scenario files: TOML in, a checked `Scenario` out, and back."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from quedge.experiments.whole_file import whole_file
from quedge.interfaces.profile_rows import ROW_TABLES, profiles_with_rows, rows_as_toml, toml_text
from quedge.model.scenario import PARAMETERS, Kind, Scenario
from quedge.model.security import DERIVED
from quedge.pqc.profiles import Profiles, known_profiles

_GROUPS = tuple(dict.fromkeys(parameter.group for parameter in PARAMETERS.values()))
_LONGEST_SHOWN = 60  # characters of a refused value in a message
_TYPES: dict[Kind, Any] = {Kind.NUMBER: float, Kind.INTEGER: int, Kind.NAME: str, Kind.FLAG: bool}

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""What an algorithm, a device or a framing may be called, where a setting has no quotes."""


@dataclasses.dataclass(frozen=True)
class Given:
    """A scenario and what its user said of it.

    Attributes:
        scenario: the scenario, checked.
        fixes_devices: whether the number of devices is given, as such or by a list with one value a device.
    """

    scenario: Scenario
    fixes_devices: bool


class Preset(NamedTuple):
    """A key's value that an option of a command gives.

    Attributes:
        option: the option, as messages name it.
        key: the key.
        value: its value, of the key's type.
    """

    option: str
    key: str
    value: Any


def read_scenario(
    path: str | Path | None = None,
    settings: Sequence[str] = (),
    recorded_devices: int | None = None,
    presets: Sequence[Preset] = (),
) -> Given:
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
        return Given(Scenario(**keys, profiles=profiles), fixes_devices)
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
    document = _parsed_file(Path(path))
    profiles = profiles_with_rows(str(path), document, known_profiles())
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
            lines.append(f"{'# ' if commented and left_open else ''}{name} = {_toml(value)}")
        if _GROUPS[group] == "pqc":
            lines += rows_as_toml(scenario.profiles)
    return "\n".join(lines).lstrip("\n") + "\n"


def _group_of(name: str) -> int:
    return _GROUPS.index(PARAMETERS[name].group)


def _toml(value: Any) -> str:
    """A key's value as TOML; Python's shortest exact form of a number is TOML, too."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return repr(value)


def _parsed_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        document = {}
    if document.keys() != {"value"}:
        if key not in PARAMETERS:
            raise ValueError(f"--set {_shown(setting)}: {unknown_key(key, text)}")
        if PARAMETERS[key].kind is Kind.NAME and NAME.fullmatch(text):
            return key, text  # a shell takes quotes away
        raise ValueError(f"--set {_shown(setting)}: {key}: {_shown(text)} is not allowed; it must be {_kind_of(key)}")
    return key, document["value"]


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
            if group == "pqc" and name in ROW_TABLES:
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
    from pydantic import ValidationError

    try:
        return dict(_file_model().model_validate(keys).model_dump(exclude_unset=True))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
    if key not in PARAMETERS:
        raise ValueError(f"{source}: {unknown_key(key, repr(keys[key]))}")
    raise ValueError(f"{source}: {key}: {_shown(repr(keys[key]))} is not allowed; it must be {_kind_of(key)}")


def _kind_of(key: str) -> str:
    """What a key takes, in words."""
    parameter = PARAMETERS[key]
    each = " or a list with one number a device" if parameter.per_device else ""
    if parameter.kind in (Kind.NAME, Kind.FLAG):
        return parameter.allowed
    return f"{'an integer' if parameter.kind is Kind.INTEGER else f'a number{each}'}, {parameter.allowed}"


def unknown_key(key: str, value: str) -> str:
    """What is said of a key that no scenario has, and of the value that it was given."""
    close = difflib.get_close_matches(key.rpartition(".")[2], [*PARAMETERS, *_GROUPS], n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{_shown(key)}: unknown key (value {_shown(value)}); {meant}`quedge init` lists the keys"


@functools.cache
def _file_model() -> Any:
    """The keys of a scenario file and their types, as a pydantic model."""
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {}
    for name, parameter in PARAMETERS.items():
        kind = _TYPES[parameter.kind]
        fields[name] = (kind | list[float] if parameter.per_device else kind, 0)
    return create_model("ScenarioFile", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."
