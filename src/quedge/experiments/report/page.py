"""The page: it reads what a folder holds and runs nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from quedge.experiments.engine.versions import common_versions
from quedge.experiments.publication import MANIFEST
from quedge.experiments.reading.rivals import BOLD_RULE
from quedge.experiments.reading.trends import SETTLED_RULE
from quedge.experiments.report.settings import common_settings, own_settings, seeds_text
from quedge.experiments.whole_file import whole_file
from quedge.model.extras import check_installed

REPORT = "report.html"


def write_report(folder: Path) -> Path:
    """Write `report.html`, self-contained, from the experiments whose files a folder holds.

    Args:
        folder: where `publish` has written.

    Returns:
        The page's path.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        ValueError: the folder holds no experiment, or a file of one that cannot be read; the message names it.
        OSError: the page cannot be written.
    """
    check_installed("jinja2", REPORT, "Jinja2", "experiments")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    experiments = read_manifests(folder)
    common = common_settings(experiments)
    for experiment in experiments:
        experiment["image"] = _image(folder, experiment["figure"])
        experiment["own"] = own_settings(experiment, common)
    environment = Environment(
        loader=PackageLoader("quedge.experiments", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {experiment["name"] for experiment in experiments}
    environment.filters["text"] = lambda text: _marked_up(text, names)
    page = environment.get_template("page.html").render(
        chapters=[(name, list(part)) for name, part in groupby(experiments, key=lambda each: each["chapter"])],
        common=common,
        seeds=seeds_text(common.seeds),
        versions=common_versions(experiment["versions"] for experiment in experiments),
        codes=sorted({experiment["code"] for experiment in experiments}),
        shortened=sorted({experiment.get("shortened", "") for experiment in experiments} - {""}),
        rules=(BOLD_RULE, SETTLED_RULE),
        failed={cell for experiment in experiments for cell in experiment["failed"]},
    )
    path = folder / REPORT
    with whole_file(path) as file:
        file.write(page.encode())
    return path


def _marked_up(text: str, names: Collection[str]) -> Any:
    """A text as safe markup: subscripts such as that of P_q, `code`, and links to experiments by their names."""
    from markupsafe import Markup, escape

    safe = re.sub(r"\b([A-Zdfv])_([A-Za-z]+)\b", r"\1<sub>\2</sub>", str(escape(text)))

    def code(found: re.Match[str]) -> str:
        shown = f"<code>{found[1]}</code>"
        return f'<a href="#{found[1]}">{shown}</a>' if found[1] in names else shown

    return Markup(re.sub("`([^`]+)`", code, safe))


def manifests_in(folder: Path) -> list[Path]:
    """The files of a folder in which experiments say what they are."""
    return sorted(folder.glob(f"*{MANIFEST}"))


def read_manifests(folder: Path) -> list[dict[str, Any]]:
    """What the experiments of a folder say of themselves, chapter by chapter in the order of the catalogue.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    paths = manifests_in(folder)
    if not paths:
        raise ValueError(f"{folder}: holds no experiment; `quedge reproduce --out {folder}` would write some")
    manifests: list[dict[str, Any]] = []
    for path in paths:
        try:
            manifests.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: cannot be read, so remove it: {error}") from None
        if isinstance(manifests[-1], dict):
            manifests[-1].setdefault("result", None)  # of before there was one
        missing = _KEYS - set(manifests[-1] if isinstance(manifests[-1], dict) else ())
        if missing:
            raise ValueError(f"{path}: is no experiment's: {min(missing)} is missing")
    chapters = {name: place for place, name in reversed(list(enumerate(each["chapter"] for each in manifests)))}
    chapters |= {"The paper": -2, "Beyond the paper": -1}
    return sorted(manifests, key=lambda each: (chapters[each["chapter"]], each["position"], each["name"]))


_KEYS = {
    "name", "title", "chapter", "position", "caption", "remarks", "probe", "runs", "cells", "failed", "code",
    "versions", "figure", "table",
}  # fmt: skip


class _Image(NamedTuple):
    """A figure as the address that holds it, and its width (pixels)."""

    address: str
    width: int


def _image(folder: Path, name: str | None) -> _Image | None:
    if name is None:
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ValueError(f"{folder / name}: cannot be read: {error.strerror}") from None
    width = int.from_bytes(content[16:20], "big")  # where a PNG has it
    return _Image(f"data:image/png;base64,{base64.b64encode(content).decode()}", width)
