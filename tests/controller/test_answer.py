"""Answers as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.allocation.tdma import Tdma
from quedge.controller.answer import Answer, ServedBy
from quedge.policy.exact import Exact
from quedge.policy.lydroo import Lydroo
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import drawn_reports, fresh


def answered(policy: Policy | Learner, served_by: ServedBy = ServedBy.POLICY) -> Answer:
    controller = fresh(policy)
    first, second = drawn_reports(2)
    controller.serve(first)
    return controller.serve(second, served_by)


@pytest.mark.parametrize("policy", [Exact(), Lydroo(allocator=Tdma())], ids=["bound", "time shares, no bound"])
@pytest.mark.parametrize("served_by", list(ServedBy))
def test_packed_and_unpacked_an_answer_is_the_same(policy: Policy, served_by: ServedBy) -> None:
    answer = answered(policy, served_by)
    again = Answer.unpacked(answer.packed())
    assert again.packed() == answer.packed()
    assert again.served_by is served_by
    for name, value in answer._asdict().items():
        np.testing.assert_array_equal(value, getattr(again, name), err_msg=name)


def test_bytes_cut_short_too_long_or_of_an_unknown_kind_are_refused() -> None:
    whole = answered(Exact()).packed()
    unknown = [bytearray(whole), bytearray(whole)]
    unknown[0][12], unknown[1][13] = 99, 99  # who served it, and how the decision came about
    for wrong in (*(whole[:cut] for cut in range(len(whole))), whole + b"\0", *map(bytes, unknown)):
        with pytest.raises(ValueError, match="answer: cut short"):
            Answer.unpacked(wrong)


def test_bytes_that_say_neither_yes_nor_no_are_refused() -> None:
    whole = answered(Exact()).packed()
    devices = int.from_bytes(whole[8:12], "little")
    header = len(whole) - 65 * devices
    for place in (
        14,
        header + 8 * devices,
        header + 9 * devices - 1,
    ):  # time division, and the first and last to offload
        wrong = bytearray(whole)
        wrong[place] = 2
        with pytest.raises(ValueError, match="answer: neither yes nor no"):
            Answer.unpacked(bytes(wrong))
