from quedge.service import quedge_pb2 as _quedge_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameAnswer(_message.Message):
    __slots__ = ("frame", "outcome", "served_by", "status", "devices", "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "objective", "upper_bound", "next_frame", "incarnation")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    OFFLOAD_FIELD_NUMBER: _ClassVar[int]
    TRANSMIT_POWER_W_FIELD_NUMBER: _ClassVar[int]
    CPU_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    TIME_SHARE_FIELD_NUMBER: _ClassVar[int]
    RATE_MBPS_FIELD_NUMBER: _ClassVar[int]
    POWER_W_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    ENERGY_QUEUE_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    frame: int
    outcome: _quedge_pb2.Outcome
    served_by: _quedge_pb2.ServedBy
    status: _quedge_pb2.DecisionStatus
    devices: _containers.RepeatedScalarFieldContainer[int]
    offload: bytes
    transmit_power_w: bytes
    cpu_frequency_hz: bytes
    time_share: bytes
    rate_mbps: bytes
    power_w: bytes
    data_queue_mbit: bytes
    energy_queue: bytes
    objective: float
    upper_bound: float
    next_frame: int
    incarnation: str
    def __init__(self, frame: _Optional[int] = ..., outcome: _Optional[_Union[_quedge_pb2.Outcome, str]] = ..., served_by: _Optional[_Union[_quedge_pb2.ServedBy, str]] = ..., status: _Optional[_Union[_quedge_pb2.DecisionStatus, str]] = ..., devices: _Optional[_Iterable[int]] = ..., offload: _Optional[bytes] = ..., transmit_power_w: _Optional[bytes] = ..., cpu_frequency_hz: _Optional[bytes] = ..., time_share: _Optional[bytes] = ..., rate_mbps: _Optional[bytes] = ..., power_w: _Optional[bytes] = ..., data_queue_mbit: _Optional[bytes] = ..., energy_queue: _Optional[bytes] = ..., objective: _Optional[float] = ..., upper_bound: _Optional[float] = ..., next_frame: _Optional[int] = ..., incarnation: _Optional[str] = ...) -> None: ...

class GatewayAnswer(_message.Message):
    __slots__ = ("frame", "outcome", "served_by", "status", "devices", "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "incarnation")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    OFFLOAD_FIELD_NUMBER: _ClassVar[int]
    TRANSMIT_POWER_W_FIELD_NUMBER: _ClassVar[int]
    CPU_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    TIME_SHARE_FIELD_NUMBER: _ClassVar[int]
    RATE_MBPS_FIELD_NUMBER: _ClassVar[int]
    POWER_W_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    ENERGY_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    frame: int
    outcome: _quedge_pb2.Outcome
    served_by: _quedge_pb2.ServedBy
    status: _quedge_pb2.DecisionStatus
    devices: _containers.RepeatedScalarFieldContainer[int]
    offload: bytes
    transmit_power_w: bytes
    cpu_frequency_hz: bytes
    time_share: bytes
    rate_mbps: bytes
    power_w: bytes
    data_queue_mbit: bytes
    energy_queue: bytes
    incarnation: str
    def __init__(self, frame: _Optional[int] = ..., outcome: _Optional[_Union[_quedge_pb2.Outcome, str]] = ..., served_by: _Optional[_Union[_quedge_pb2.ServedBy, str]] = ..., status: _Optional[_Union[_quedge_pb2.DecisionStatus, str]] = ..., devices: _Optional[_Iterable[int]] = ..., offload: _Optional[bytes] = ..., transmit_power_w: _Optional[bytes] = ..., cpu_frequency_hz: _Optional[bytes] = ..., time_share: _Optional[bytes] = ..., rate_mbps: _Optional[bytes] = ..., power_w: _Optional[bytes] = ..., data_queue_mbit: _Optional[bytes] = ..., energy_queue: _Optional[bytes] = ..., incarnation: _Optional[str] = ...) -> None: ...
