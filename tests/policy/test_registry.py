"""The tables of `tests/policies.py` hold whatever the package offers: a new policy is tested, or this fails."""

from __future__ import annotations

import pytest

import quedge
from quedge.policy.lydroo import Lydroo
from quedge.policy.policy import Learner, Policy, is_learner
from quedge.policy.registry import SCHEMES, Scheme
from tests import policies


def kind(policy: Policy | Learner) -> tuple[type, ...]:
    """What tells one kind of policy from another, whatever its other settings are."""
    if isinstance(policy, Lydroo):
        return Lydroo, type(policy.allocator), type(policy.actor)
    return (type(policy),)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_every_policy_of_the_registry_is_in_every_table_that_it_belongs_to(scheme: Scheme) -> None:
    tables = [policies.POLICIES]
    if is_learner(scheme.policy):
        tables.append(policies.LEARNERS)
    elif not isinstance(scheme.policy, quedge.Random | quedge.RandomRounding):
        tables.append(policies.FREE_OF_CHANCE)
    for table in tables:
        assert kind(scheme.policy) in {kind(policy) for policy in table}


def test_every_class_of_a_policy_that_the_package_exports_is_in_the_registry() -> None:
    exported = [getattr(quedge, name) for name in quedge.__all__ if isinstance(getattr(quedge, name, None), type)]
    policies_of_ours = {each for each in exported if hasattr(each, "decide") and each is not Policy}
    agents = {quedge.LydrooAgent, quedge.TrainedLydroo}  # what a learner begins, and leaves behind
    assert policies_of_ours - agents == {type(scheme.policy) for scheme in SCHEMES if not is_learner(scheme.policy)}


def test_every_allocator_that_the_package_exports_is_in_the_table() -> None:
    exported = [getattr(quedge, name) for name in quedge.__all__ if isinstance(getattr(quedge, name, None), type)]
    allocators = {each for each in exported if hasattr(each, "allocate") and each is not quedge.Allocator}
    assert allocators == {type(allocator) for allocator in policies.ALLOCATORS}
