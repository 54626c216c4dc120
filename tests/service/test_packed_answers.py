from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quedge.controller.answer import Answer, ServedBy
from quedge.controller.engine import Served
from quedge.model.frame import Status

pytest.importorskip("grpc")

from quedge.service import packed_pb2 as packed
from quedge.service import quedge_pb2 as pb
from quedge.service.member_reports import GatewayReports
from quedge.service.methods import DEVICE_VALUES, SERVED_BY, STATUSES
from quedge.service.translate import answer_of

DEVICES = np.array([0, 3, 127, 128, 99_999])
KINDS = pytest.mark.parametrize("name", ["FrameAnswer", "GatewayAnswer"])


def served(is_tdma: bool, upper_bound: float = 3.5, devices: np.ndarray = DEVICES, repeated: bool = False) -> Served:
    rng = np.random.default_rng(7)
    offload = rng.random(devices.size) < 0.5
    values = rng.normal(size=(7, devices.size)) * 10.0 ** rng.integers(-300, 300, (7, devices.size))
    power, frequency, share, *brought = values
    answer = Answer(
        41, ServedBy.LATE, Status.GAP_OPEN, devices, offload, power, frequency, share, *brought, -0.25, upper_bound,
        is_tdma,
    )  # fmt: skip
    return Served(answer, repeated, 0.0, 0.0, incarnation="0123456789abcdef")


def lists(answer: Answer, devices: np.ndarray) -> dict[str, Any]:
    """What an answer says of some devices, as the contract's own messages take it."""
    places = [answer.devices.tolist().index(device) for device in devices]
    return {
        "frame": answer.frame, "served_by": SERVED_BY[answer.served_by], "status": STATUSES[answer.status],
        "devices": devices.tolist(), "offload": answer.offload[places].tolist(),
        "time_share": answer.time_share[places].tolist() if answer.is_tdma else (),
        **{name: getattr(answer, name)[places].tolist() for name in DEVICE_VALUES},
    }  # fmt: skip


@pytest.mark.parametrize("is_tdma", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("upper_bound", [np.nan, 0.0, 2.0])
def test_an_answer_to_a_base_station_is_the_contracts_byte_for_byte(
    is_tdma: bool, repeated: bool, upper_bound: float
) -> None:
    told = served(is_tdma, upper_bound, repeated=repeated)
    contracts = pb.FrameAnswer(
        outcome=pb.REPEATED if repeated else pb.SERVED,
        objective=-0.25,
        upper_bound=None if np.isnan(upper_bound) else upper_bound,
        next_frame=42,
        incarnation=told.incarnation,
        **lists(told.answer, DEVICES),
    )
    assert answer_of(told).SerializeToString() == contracts.SerializeToString()


@pytest.mark.parametrize("is_tdma", [False, True])
@pytest.mark.parametrize("devices", [DEVICES, DEVICES[1:4], DEVICES[-1:]], ids=["all", "some", "one"])
def test_an_answer_to_a_gateway_is_the_contracts_byte_for_byte(is_tdma: bool, devices: np.ndarray) -> None:
    told = served(is_tdma)
    contracts = pb.GatewayAnswer(outcome=pb.SERVED, incarnation=told.incarnation, **lists(told.answer, devices))
    assert GatewayReports().answer_of(told, devices).SerializeToString() == contracts.SerializeToString()


@KINDS
def test_a_packed_answer_has_the_fields_of_the_contracts(name: str) -> None:
    ours, contracts = (module.DESCRIPTOR.message_types_by_name[name].fields_by_name for module in (packed, pb))
    assert set(contracts) - set(ours) == {"field", "message"}  # of refusals, which have no lists
    assert {field: ours[field].number for field in ours} == {field: contracts[field].number for field in ours}
