from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    SERVED: _ClassVar[Outcome]
    REPEATED: _ClassVar[Outcome]
    BAD_VALUE: _ClassVar[Outcome]
    WRONG_LENGTH: _ClassVar[Outcome]
    NO_DEVICES: _ClassVar[Outcome]
    UNKNOWN_DEVICE: _ClassVar[Outcome]
    REPEATED_DEVICE: _ClassVar[Outcome]
    OLD_FRAME: _ClassVar[Outcome]
    FUTURE_FRAME: _ClassVar[Outcome]
    NOT_DURABLE: _ClassVar[Outcome]
    OVERLOADED: _ClassVar[Outcome]
    FAILED: _ClassVar[Outcome]
    BAD_NAME: _ClassVar[Outcome]
    NAME_TAKEN: _ClassVar[Outcome]

class ServedBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVED_BY_UNSPECIFIED: _ClassVar[ServedBy]
    POLICY: _ClassVar[ServedBy]
    BEST_SINGLE_LATE: _ClassVar[ServedBy]
    BEST_SINGLE_POLICY_FAILED: _ClassVar[ServedBy]

class DecisionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_STATUS_UNSPECIFIED: _ClassVar[DecisionStatus]
    OK: _ClassVar[DecisionStatus]
    GAP_OPEN: _ClassVar[DecisionStatus]
    ROUNDS_SPENT: _ClassVar[DecisionStatus]
    FALLBACK: _ClassVar[DecisionStatus]
OUTCOME_UNSPECIFIED: Outcome
SERVED: Outcome
REPEATED: Outcome
BAD_VALUE: Outcome
WRONG_LENGTH: Outcome
NO_DEVICES: Outcome
UNKNOWN_DEVICE: Outcome
REPEATED_DEVICE: Outcome
OLD_FRAME: Outcome
FUTURE_FRAME: Outcome
NOT_DURABLE: Outcome
OVERLOADED: Outcome
FAILED: Outcome
BAD_NAME: Outcome
NAME_TAKEN: Outcome
SERVED_BY_UNSPECIFIED: ServedBy
POLICY: ServedBy
BEST_SINGLE_LATE: ServedBy
BEST_SINGLE_POLICY_FAILED: ServedBy
DECISION_STATUS_UNSPECIFIED: DecisionStatus
OK: DecisionStatus
GAP_OPEN: DecisionStatus
ROUNDS_SPENT: DecisionStatus
FALLBACK: DecisionStatus

class FrameReport(_message.Message):
    __slots__ = ("base_station", "frame", "devices", "channel_gain", "arrived_mbit", "data_queue_mbit")
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_GAIN_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_MBIT_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    base_station: str
    frame: int
    devices: _containers.RepeatedScalarFieldContainer[int]
    channel_gain: _containers.RepeatedScalarFieldContainer[float]
    arrived_mbit: _containers.RepeatedScalarFieldContainer[float]
    data_queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, base_station: _Optional[str] = ..., frame: _Optional[int] = ..., devices: _Optional[_Iterable[int]] = ..., channel_gain: _Optional[_Iterable[float]] = ..., arrived_mbit: _Optional[_Iterable[float]] = ..., data_queue_mbit: _Optional[_Iterable[float]] = ...) -> None: ...

class FrameAnswer(_message.Message):
    __slots__ = ("frame", "outcome", "field", "message", "served_by", "status", "devices", "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "objective", "upper_bound", "next_frame", "incarnation")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
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
    outcome: Outcome
    field: str
    message: str
    served_by: ServedBy
    status: DecisionStatus
    devices: _containers.RepeatedScalarFieldContainer[int]
    offload: _containers.RepeatedScalarFieldContainer[bool]
    transmit_power_w: _containers.RepeatedScalarFieldContainer[float]
    cpu_frequency_hz: _containers.RepeatedScalarFieldContainer[float]
    time_share: _containers.RepeatedScalarFieldContainer[float]
    rate_mbps: _containers.RepeatedScalarFieldContainer[float]
    power_w: _containers.RepeatedScalarFieldContainer[float]
    data_queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    energy_queue: _containers.RepeatedScalarFieldContainer[float]
    objective: float
    upper_bound: float
    next_frame: int
    incarnation: str
    def __init__(self, frame: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., served_by: _Optional[_Union[ServedBy, str]] = ..., status: _Optional[_Union[DecisionStatus, str]] = ..., devices: _Optional[_Iterable[int]] = ..., offload: _Optional[_Iterable[bool]] = ..., transmit_power_w: _Optional[_Iterable[float]] = ..., cpu_frequency_hz: _Optional[_Iterable[float]] = ..., time_share: _Optional[_Iterable[float]] = ..., rate_mbps: _Optional[_Iterable[float]] = ..., power_w: _Optional[_Iterable[float]] = ..., data_queue_mbit: _Optional[_Iterable[float]] = ..., energy_queue: _Optional[_Iterable[float]] = ..., objective: _Optional[float] = ..., upper_bound: _Optional[float] = ..., next_frame: _Optional[int] = ..., incarnation: _Optional[str] = ...) -> None: ...

class DeviceReport(_message.Message):
    __slots__ = ("base_station", "device", "channel_gain", "arrived_mbit", "data_queue_mbit")
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_GAIN_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_MBIT_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    base_station: str
    device: int
    channel_gain: float
    arrived_mbit: float
    data_queue_mbit: float
    def __init__(self, base_station: _Optional[str] = ..., device: _Optional[int] = ..., channel_gain: _Optional[float] = ..., arrived_mbit: _Optional[float] = ..., data_queue_mbit: _Optional[float] = ...) -> None: ...

class DeviceAnswer(_message.Message):
    __slots__ = ("frame", "outcome", "field", "message", "served_by", "status", "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "incarnation")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SERVED_BY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
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
    outcome: Outcome
    field: str
    message: str
    served_by: ServedBy
    status: DecisionStatus
    offload: bool
    transmit_power_w: float
    cpu_frequency_hz: float
    time_share: float
    rate_mbps: float
    power_w: float
    data_queue_mbit: float
    energy_queue: float
    incarnation: str
    def __init__(self, frame: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., served_by: _Optional[_Union[ServedBy, str]] = ..., status: _Optional[_Union[DecisionStatus, str]] = ..., offload: _Optional[bool] = ..., transmit_power_w: _Optional[float] = ..., cpu_frequency_hz: _Optional[float] = ..., time_share: _Optional[float] = ..., rate_mbps: _Optional[float] = ..., power_w: _Optional[float] = ..., data_queue_mbit: _Optional[float] = ..., energy_queue: _Optional[float] = ..., incarnation: _Optional[str] = ...) -> None: ...

class GatewayReport(_message.Message):
    __slots__ = ("base_station", "devices", "channel_gain", "arrived_mbit", "data_queue_mbit")
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_GAIN_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_MBIT_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    base_station: str
    devices: _containers.RepeatedScalarFieldContainer[int]
    channel_gain: _containers.RepeatedScalarFieldContainer[float]
    arrived_mbit: _containers.RepeatedScalarFieldContainer[float]
    data_queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, base_station: _Optional[str] = ..., devices: _Optional[_Iterable[int]] = ..., channel_gain: _Optional[_Iterable[float]] = ..., arrived_mbit: _Optional[_Iterable[float]] = ..., data_queue_mbit: _Optional[_Iterable[float]] = ...) -> None: ...

class GatewayAnswer(_message.Message):
    __slots__ = ("frame", "outcome", "field", "message", "served_by", "status", "devices", "offload", "transmit_power_w", "cpu_frequency_hz", "time_share", "rate_mbps", "power_w", "data_queue_mbit", "energy_queue", "incarnation")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
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
    outcome: Outcome
    field: str
    message: str
    served_by: ServedBy
    status: DecisionStatus
    devices: _containers.RepeatedScalarFieldContainer[int]
    offload: _containers.RepeatedScalarFieldContainer[bool]
    transmit_power_w: _containers.RepeatedScalarFieldContainer[float]
    cpu_frequency_hz: _containers.RepeatedScalarFieldContainer[float]
    time_share: _containers.RepeatedScalarFieldContainer[float]
    rate_mbps: _containers.RepeatedScalarFieldContainer[float]
    power_w: _containers.RepeatedScalarFieldContainer[float]
    data_queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    energy_queue: _containers.RepeatedScalarFieldContainer[float]
    incarnation: str
    def __init__(self, frame: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., served_by: _Optional[_Union[ServedBy, str]] = ..., status: _Optional[_Union[DecisionStatus, str]] = ..., devices: _Optional[_Iterable[int]] = ..., offload: _Optional[_Iterable[bool]] = ..., transmit_power_w: _Optional[_Iterable[float]] = ..., cpu_frequency_hz: _Optional[_Iterable[float]] = ..., time_share: _Optional[_Iterable[float]] = ..., rate_mbps: _Optional[_Iterable[float]] = ..., power_w: _Optional[_Iterable[float]] = ..., data_queue_mbit: _Optional[_Iterable[float]] = ..., energy_queue: _Optional[_Iterable[float]] = ..., incarnation: _Optional[str] = ...) -> None: ...

class StateRequest(_message.Message):
    __slots__ = ("base_station",)
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    base_station: str
    def __init__(self, base_station: _Optional[str] = ...) -> None: ...

class StateReply(_message.Message):
    __slots__ = ("outcome", "message", "next_frame", "data_queue_mbit", "energy_queue", "policy", "durability", "incarnation")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    DATA_QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    ENERGY_QUEUE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    message: str
    next_frame: int
    data_queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    energy_queue: _containers.RepeatedScalarFieldContainer[float]
    policy: str
    durability: str
    incarnation: str
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., message: _Optional[str] = ..., next_frame: _Optional[int] = ..., data_queue_mbit: _Optional[_Iterable[float]] = ..., energy_queue: _Optional[_Iterable[float]] = ..., policy: _Optional[str] = ..., durability: _Optional[str] = ..., incarnation: _Optional[str] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("base_station",)
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    base_station: str
    def __init__(self, base_station: _Optional[str] = ...) -> None: ...

class CheckpointReply(_message.Message):
    __slots__ = ("outcome", "message", "next_frame", "incarnation")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    message: str
    next_frame: int
    incarnation: str
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., message: _Optional[str] = ..., next_frame: _Optional[int] = ..., incarnation: _Optional[str] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ("standby", "number", "kept")
    STANDBY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    standby: str
    number: int
    kept: int
    def __init__(self, standby: _Optional[str] = ..., number: _Optional[int] = ..., kept: _Optional[int] = ...) -> None: ...

class FollowRecord(_message.Message):
    __slots__ = ("number", "heard", "base_station", "copy", "frame", "checkpoint", "in_sync")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    BASE_STATION_FIELD_NUMBER: _ClassVar[int]
    COPY_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    IN_SYNC_FIELD_NUMBER: _ClassVar[int]
    number: int
    heard: int
    base_station: str
    copy: bytes
    frame: JournalledFrame
    checkpoint: JournalledCheckpoint
    in_sync: InSync
    def __init__(self, number: _Optional[int] = ..., heard: _Optional[int] = ..., base_station: _Optional[str] = ..., copy: _Optional[bytes] = ..., frame: _Optional[_Union[JournalledFrame, _Mapping]] = ..., checkpoint: _Optional[_Union[JournalledCheckpoint, _Mapping]] = ..., in_sync: _Optional[_Union[InSync, _Mapping]] = ...) -> None: ...

class JournalledFrame(_message.Message):
    __slots__ = ("frame", "report", "answer")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    frame: int
    report: bytes
    answer: bytes
    def __init__(self, frame: _Optional[int] = ..., report: _Optional[bytes] = ..., answer: _Optional[bytes] = ...) -> None: ...

class JournalledCheckpoint(_message.Message):
    __slots__ = ("next_frame", "standing", "determined_by")
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    DETERMINED_BY_FIELD_NUMBER: _ClassVar[int]
    next_frame: int
    standing: bytes
    determined_by: str
    def __init__(self, next_frame: _Optional[int] = ..., standing: _Optional[bytes] = ..., determined_by: _Optional[str] = ...) -> None: ...

class InSync(_message.Message):
    __slots__ = ("base_stations", "lease_s")
    BASE_STATIONS_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    base_stations: _containers.RepeatedScalarFieldContainer[str]
    lease_s: float
    def __init__(self, base_stations: _Optional[_Iterable[str]] = ..., lease_s: _Optional[float] = ...) -> None: ...
