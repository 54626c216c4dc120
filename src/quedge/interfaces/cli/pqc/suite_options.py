"""The options that say which suite is meant, each worded once."""

from __future__ import annotations

import dataclasses
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from quedge.interfaces.cli.numbers import integer_from
from quedge.interfaces.cli.refusing import UsageError
from quedge.pqc.profiles import MOST_RECORD_BYTES, Profiles
from quedge.pqc.suite import MOST_REKEY_FRAMES, SUITES, Suite

MOST_MBIT = 1_000
BITS_PER_MBIT = 1_000_000


def mbit_of(text: str) -> Decimal:
    """Megabits that are whole bytes, exactly as they were written."""
    try:
        mbit = Decimal(str(text))
    except InvalidOperation:
        mbit = Decimal(-1)
    if not (mbit.is_finite() and 0 < mbit <= MOST_MBIT and mbit * BITS_PER_MBIT % 8 == 0):
        raise typer.BadParameter(
            f"{str(text)[:60]!r} is not allowed; it must be above 0, at most {MOST_MBIT}, and a whole number of bytes."
        )
    return mbit


KemOption = Annotated[str | None, typer.Option(help="Another key encapsulation than the suite's.")]
SignatureOption = Annotated[str | None, typer.Option("--sig", help="Another signature.")]
AeadOption = Annotated[str | None, typer.Option(help="Another authenticated encryption.")]
RecordBytes = Annotated[
    int | None,
    typer.Option(parser=integer_from(1, MOST_RECORD_BYTES), metavar="N", help="Most data in a record; 16384 without."),
]
Rekey = Annotated[
    int | None,
    typer.Option(
        parser=integer_from(1, MOST_REKEY_FRAMES), metavar="K", help="Frames after which keys change; 100 without."
    ),
]
SignEveryFrame = Annotated[bool, typer.Option("--sign-every-frame", help="Sign each frame, too.")]
Mbit = Annotated[Decimal, typer.Option(parser=mbit_of, metavar="MBIT", help="Task data of a frame.")]


def suite_named(place: str, name: str) -> Suite:
    """One of the package's suites.

    Raises:
        UsageError: there is none of this name; the message starts with `place`.
    """
    if name.casefold() not in SUITES:
        raise UsageError(f"{place}: {name[:60]!r} is not allowed; it must be one of {', '.join(SUITES)}")
    return SUITES[name.casefold()]


def changed(suite: Suite, profiles: Profiles, **options: Any) -> Suite:
    """A suite with some settings replaced, names as the profiles have them; None leaves a setting as it is.

    Raises:
        ValueError: an unknown name; the message names the option, the name and what is allowed.
    """
    changes = {key: value for key, value in options.items() if value is not None}
    for kind in ("kem", "signature", "aead"):
        if kind in changes:
            option = "--sig" if kind == "signature" else f"--{kind}"
            changes[kind] = profiles.algorithm(option, kind, changes[kind]).name
    if "framing" in changes:
        changes["framing"] = profiles.framing("--framing", changes["framing"]).name
    return dataclasses.replace(suite, **changes)
