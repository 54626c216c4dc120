"""The numbers of an experiment for its result sentence, read from the runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from quedge.experiments.symbols import assignment, value_text


class Measured(Protocol):
    """One variant under one policy."""

    @property
    def variant(self) -> Mapping[str, Any]:
        """Values of the keys that vary."""

    @property
    def scheme(self) -> str:
        """The policy's name."""

    def values(self, measure: str) -> list[float]:
        """A measure, seed by seed."""


class NotMeasuredError(LookupError):
    """A number that a sentence needs is missing, since jobs failed or did not run."""


class Results:
    """An experiment's measures, as means over the seeds; a NotMeasuredError where a number is missing."""

    def __init__(self, records: Sequence[Measured]) -> None:
        """Take the means of these records."""
        self._records = records

    def mean(self, measure: str, policy: str, **keys: Any) -> float:
        """A measure of a policy, in the only variant with these values of its keys."""
        found = [
            record.values(measure)
            for record in self._records
            if record.scheme == policy and keys.items() <= record.variant.items()
        ]
        if len(found) != 1 or not found[0]:
            raise NotMeasuredError(f"{measure} of {policy} at {keys}: {len(found)} variants, where one is needed")
        return math.fsum(found[0]) / len(found[0])

    def policies(self) -> list[str]:
        """The policies, in order."""
        return _some(dict.fromkeys(record.scheme for record in self._records), "no policy ran")

    def variants(self, policy: str) -> list[dict[str, Any]]:
        """The variants in which a policy ran, in order."""
        return _some((dict(each.variant) for each in self._records if each.scheme == policy), f"{policy} did not run")

    def largest(self, key: str) -> Any:
        """The largest value of a key."""
        values = (record.variant[key] for record in self._records if key in record.variant)
        return max(_some(values, f"no variant has {key}"))

    def each(self, measure: str, **keys: Any) -> dict[str, float]:
        """A measure of all policies in the variant with these values, the smallest first."""
        found = {}
        for policy in self.policies():
            if any(keys.items() <= variant.items() for variant in self.variants(policy)):
                found[policy] = self.mean(measure, policy, **keys)
        if not found:
            raise NotMeasuredError(f"{measure} at {keys}: no policy ran there")
        return dict(sorted(found.items(), key=lambda each: each[1]))


def _some(values: Iterable[Any], otherwise: str) -> list[Any]:
    """All values, at least one."""
    found = list(values)
    if not found:
        raise NotMeasuredError(otherwise)
    return found


Sentence = Callable[[Results], str]
"""Gives the result sentence of an experiment; raises `NotMeasuredError` where a number is missing."""


def number(value: float, form: str) -> str:
    """A number in a sentence, as `format` gives it, with a space before a per cent sign."""
    return format(value, form).replace("%", " %")


def listed(values: Mapping[str, float], form: str) -> str:
    """Numbers by name, in order, each in the form that `format` takes; names of equal numbers together."""
    names: dict[str, list[str]] = {}
    for name, value in values.items():
        names.setdefault(number(value, form), []).append(name.replace(",", ""))
    return ", ".join(f"{' / '.join(whose)} {text}" for text, whose in names.items())


def queues_and_powers(found: Results, digits: int) -> str:
    """Mean queues and powers of all policies; powers with so many digits after the decimal point."""
    queues, powers = found.each("data_queue_mbit"), found.each("power_w")
    return f"Data queue (Mbit): {listed(queues, '.1f')}; power (W): {listed(powers, f'.{digits}f')}."


def descending(values: Mapping[str, float]) -> dict[str, float]:
    """The same, the largest first."""
    return dict(sorted(values.items(), key=lambda each: -each[1]))


def change(ends: Sequence[float], form: str) -> str:
    """How a number changes from the first to the second, at the precision shown: falls, rises or stays."""
    first, last = ends
    texts = number(first, form), number(last, form)
    if texts[0] == texts[1]:
        return f"stays at {texts[0]}"
    return f"{'falls' if last < first else 'rises'} from {texts[0]} to {texts[1]}"


def at(**keys: Any) -> str:
    """Keys with their values, in words."""
    return ", ".join(assignment(key, value_text(value)) for key, value in keys.items())


def shortest_within_budget(found: Results, policy: str, budget_w: float) -> tuple[dict[str, Any], float, float] | None:
    """Of a policy's variants within the power budget, the one with the shortest queue; also that queue and power."""
    kept = [
        (found.mean("data_queue_mbit", policy, **variant), found.mean("power_w", policy, **variant), variant)
        for variant in found.variants(policy)
    ]
    within = [each for each in kept if each[1] <= budget_w]
    if not within:
        return None
    queue, power, variant = min(within, key=lambda each: each[:2])
    return variant, queue, power
