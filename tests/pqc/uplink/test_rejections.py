"""What is not as the device sent it is rejected, and the session with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from quedge.pqc.uplink import key_exchange
from quedge.pqc.uplink.algorithms import live_suite
from quedge.pqc.uplink.device import Device
from quedge.pqc.uplink.primitives import Rejected
from quedge.pqc.uplink.records import MAX_EPOCH, MAX_SEQUENCE, Direction, Position, Records
from quedge.pqc.uplink.server import Server
from tests.pqc.uplink.parties import (
    DATA,
    DEVICE,
    EXCHANGE_BYTES,
    RECORD_BYTES,
    SMALL,
    Uplink,
    flipped,
    reading,
    sent,
    uplink,
)

SIGNED = dataclasses.replace(SMALL, sign_every_frame=True)


def receives(stream: bytes, why: str, pair: Uplink, after: bytes = b"") -> None:
    """A session that took `after` rejects the stream, and everything from then on."""
    session = pair.server.session()
    read = reading(after + stream)
    if after:
        session.receive(read)
    with pytest.raises(Rejected, match=f"^{why}"):
        session.receive(read)
    with pytest.raises(Rejected, match="session: it has ended"):
        session.receive(reading(stream))


def test_frames_arrive_as_they_were_sent_over_rekeys_and_sessions() -> None:
    for suite in (SMALL, SIGNED):
        pair = uplink(suite)
        for _ in range(2):
            pair.device.begin_session()
            session = pair.server.session()
            for length in (1, 63, 64, 65, 128, 1000, 5):
                data = bytes(length)
                assert session.receive(reading(sent(pair.device.seal(data)))) == data


def test_a_frame_without_data_sends_nothing_and_does_not_count() -> None:
    pair = uplink()
    assert sent(pair.device.seal(b"")) == b""
    exchanges = [bool(pair.device.seal(data).key_exchange) for data in (b"1", b"", b"2", b"", b"3", b"4")]
    assert exchanges == [True, False, False, False, False, True]


@pytest.mark.parametrize(
    ("at", "why"),
    [(0, "record: "), (1, "record: length"), (2, "record: length"), (3, "record: length"),
     (4, "record: not the next one"), (5, "record: not the next one"), (6, "record: not authentic"),
     (69, "record: not authentic"), (70, "record: not authentic"), (85, "record: not authentic")],
    ids=["type", "length", "length", "length", "counter", "counter", "first data", "last data", "tag", "end of tag"],
)  # fmt: skip
def test_a_record_with_one_bit_turned_is_rejected(at: int, why: str) -> None:
    for bit in range(8 * at, 8 * at + 8):
        pair = uplink()
        first, second = (sent(pair.device.seal(DATA)) for _ in range(2))
        receives(flipped(second, bit), why, pair, after=first)


@pytest.mark.parametrize("at", range(16))
def test_a_key_exchange_with_another_header_is_rejected(at: int) -> None:
    pair = uplink()
    message = sent(pair.device.seal(DATA))
    for bit in range(8 * at, 8 * at + 8):
        receives(flipped(message, bit), "key exchange: ", pair)


@pytest.mark.parametrize("at", [16, 600, 16 + 1087, 16 + 1088, 3000, EXCHANGE_BYTES - 1])
def test_an_altered_ciphertext_or_signature_is_rejected(at: int) -> None:
    pair = uplink()
    message = sent(pair.device.seal(DATA))
    receives(flipped(message, 8 * at), "key exchange: signature does not verify", pair)


def test_a_length_in_the_last_record_cannot_be_raised_or_lowered() -> None:
    for length in (0, 19, 21, 64, 65, (1 << 24) - 1):
        pair = uplink()
        first, frame = sent(pair.device.seal(DATA)), pair.device.seal(DATA)
        *full, last = frame.records
        altered = last[:1] + length.to_bytes(3, "big") + last[4:] + bytes(100)
        receives(b"".join(full) + altered, "record: (length|not authentic)", pair, after=first)


def test_replayed_reordered_dropped_and_cut_records_are_rejected() -> None:
    def altered(make: Callable[[list[bytes], list[bytes]], bytes], why: str) -> None:
        pair = uplink()
        first, second = pair.device.seal(DATA), pair.device.seal(DATA)
        receives(make(first.records, second.records), why, pair, after=sent(first))

    altered(lambda first, second: b"".join(first), "record: not the next one")  # the frame before, again
    altered(lambda first, second: b"".join((second[0], second[0], *second[1:])), "record: not the next one")
    altered(lambda first, second: b"".join((second[1], second[0], second[2])), "record: not the next one")
    altered(lambda first, second: b"".join(second[1:]), "record: not the next one")
    altered(lambda first, second: second[0] + second[2], "record: not the next one")
    altered(lambda first, second: second[0] + second[1], "stream: ended")  # the end of the frame is gone
    altered(lambda first, second: second[0] + second[1] + second[2][:-1], "stream: ended")
    altered(lambda first, second: second[0][:-1] + second[1] + second[2], "record: not authentic")


def test_a_whole_frame_that_is_gone_is_noticed_at_the_next_one() -> None:
    pair = uplink()
    first, _, third = (sent(pair.device.seal(DATA)) for _ in range(3))
    receives(third, "record: not the next one", pair, after=first)


def test_a_frame_cannot_be_cut_short_by_another_type_of_record() -> None:
    pair = uplink()
    first, frame = sent(pair.device.seal(DATA)), pair.device.seal(DATA)
    as_last = bytes((2,)) + frame.records[0][1:]
    receives(as_last, "record: not authentic", pair, after=first)


def test_records_of_another_session_are_rejected() -> None:
    pair = uplink()
    first = sent(pair.device.seal(DATA))
    pair.server.session().receive(reading(first))
    of_first = sent(pair.device.seal(DATA))
    pair.device.begin_session()
    again = sent(pair.device.seal(DATA))
    receives(of_first, "record: not authentic", pair, after=again)


def test_records_of_another_device_are_rejected() -> None:
    pair, stranger = uplink(), uplink()
    first = sent(pair.device.seal(DATA))
    stranger.device.seal(DATA)
    receives(sent(stranger.device.seal(DATA)), "record: not authentic", pair, after=first)


def test_after_its_frames_a_key_is_used_no_more() -> None:
    pair = uplink()
    session = pair.server.session()
    for _ in range(3):
        session.receive(reading(sent(pair.device.seal(DATA))))
    longer = uplink(dataclasses.replace(SMALL, rekey_frames=4))
    with pytest.raises(Rejected, match="key exchange: unknown protocol"):
        session.receive(reading(sent(longer.device.seal(DATA))[EXCHANGE_BYTES:] + bytes(5000)))


@pytest.mark.parametrize(
    ("epoch", "direction", "at"),
    [(6, Direction.DEVICE_TO_SERVER, Position(4, 1)), (5, Direction.SERVER_TO_DEVICE, Position(4, 1)),
     (5, Direction.DEVICE_TO_SERVER, Position(4, 2)), (5, Direction.DEVICE_TO_SERVER, Position(65_540, 1))],
    ids=["epoch", "direction", "frame", "sequence 2¹⁶ later"],
)  # fmt: skip
def test_a_record_is_bound_to_its_place_even_under_the_same_key(epoch: int, direction: Direction, at: Position) -> None:
    cipher = live_suite(SMALL).aead.cipher(bytes(32))
    opener = Records(cipher, 5, Direction.DEVICE_TO_SERVER, 64)
    genuine = opener.seal(Position(4, 1), bytes(64), last=False)
    assert opener.open(Position(4, 1), genuine[:6], genuine[6:]) == bytes(64)
    elsewhere = Records(cipher, epoch, direction, 64).seal(at, bytes(64), last=False)
    with pytest.raises(Rejected, match="record: not authentic"):
        opener.open(Position(4, 1), elsewhere[:6], elsewhere[6:])


def test_a_direction_has_a_key_of_its_own() -> None:
    live = live_suite(SMALL)
    up, down = (key_exchange.records_of(live, bytes(32), bytes(64), 1, direction) for direction in Direction)
    assert up.seal(Position(), bytes(64), False)[6:70] != down.seal(Position(), bytes(64), False)[6:70]


def test_another_servers_key_is_rejected() -> None:
    pair = uplink()
    elsewhere = Device(pair.live, DEVICE, pair.signing_key, pair.live.kem.generate().public_key)
    receives(sent(elsewhere.seal(DATA)), "key exchange: signature does not verify", pair)


def test_another_devices_key_is_rejected() -> None:
    pair = uplink()
    impostor = Device(pair.live, DEVICE, pair.live.signature.generate(), pair.server_key.public_key)
    receives(sent(impostor.seal(DATA)), "key exchange: signature does not verify", pair)


def test_an_unknown_device_is_rejected() -> None:
    pair = uplink()
    unknown = Device(pair.live, 9, pair.signing_key, pair.server_key.public_key)
    receives(sent(unknown.seal(DATA)), "key exchange: another device", pair)


def test_a_device_cannot_go_on_with_the_session_of_another() -> None:
    pair = uplink(dataclasses.replace(SMALL, rekey_frames=1))
    other_key = pair.live.signature.generate()
    server = Server(pair.live, pair.server_key, {1: pair.signing_key.public_key, 2: other_key.public_key})
    one, two = (Device(pair.live, number, key, pair.server_key.public_key)
                for number, key in ((1, pair.signing_key), (2, other_key)))  # fmt: skip
    session = server.session()
    session.receive(reading(sent(one.seal(DATA))))
    with pytest.raises(Rejected, match="key exchange: another device"):
        session.receive(reading(sent(two.seal(DATA))))


@pytest.mark.parametrize("own", [{"aead": "AES-256-GCM"}, {"sign_every_frame": True}], ids=["AEAD", "signed frames"])
def test_another_suite_is_rejected(own: dict[str, object]) -> None:
    pair = uplink()
    other = live_suite(dataclasses.replace(SMALL, **own))  # type: ignore[arg-type]
    device = Device(other, DEVICE, pair.signing_key, pair.server_key.public_key)
    receives(sent(device.seal(DATA)), "key exchange: another suite", pair)


@pytest.mark.parametrize("own", [{"rekey_frames": 4}, {"record_bytes": 63}], ids=["interval", "record length"])
def test_parties_that_disagree_on_a_number_do_not_come_together(own: dict[str, int]) -> None:
    pair = uplink()
    other = live_suite(dataclasses.replace(SMALL, **own))  # type: ignore[arg-type]
    device = Device(other, DEVICE, pair.signing_key, pair.server_key.public_key)
    receives(sent(device.seal(DATA)), "key exchange: signature does not verify", pair)


def test_a_replayed_key_exchange_is_rejected_in_the_session_and_in_a_new_one() -> None:
    pair = uplink(dataclasses.replace(SMALL, rekey_frames=1))
    message = sent(pair.device.seal(DATA))
    receives(message, "key exchange: not the next epoch", pair, after=message)
    receives(message, "key exchange: not the next epoch", pair)


def test_a_rejection_leaves_the_next_epoch_to_the_device() -> None:
    pair = uplink()
    message = sent(pair.device.seal(DATA))
    for _ in range(3):
        receives(flipped(message, 8 * 100), "key exchange: signature does not verify", pair)
    assert pair.server.session().receive(reading(message)) == DATA


def test_an_epoch_that_was_left_out_is_rejected() -> None:
    pair = uplink()
    pair.device.seal(DATA)
    pair.device.begin_session()
    receives(sent(pair.device.seal(DATA)), "key exchange: not the next epoch", pair)


def test_a_signed_frame_with_another_signature_is_rejected() -> None:
    for make in (lambda one, two: flipped(two, 0), lambda one, two: one, lambda one, two: two[:-1]):
        pair = uplink(SIGNED)
        first, second = pair.device.seal(DATA), pair.device.seal(DATA)
        altered = b"".join(second.records) + make(first.signature, second.signature)
        receives(altered, "(frame: signature|stream: ended)", pair, after=sent(first))


def test_a_frames_signature_is_none_of_a_key_exchange() -> None:
    pair = uplink(SIGNED)
    running = b"same bytes"
    signature = pair.signing_key.sign(running, key_exchange.FRAME_CONTEXT)
    verifying = pair.live.signature.public(pair.signing_key.public_key)
    assert verifying.verifies(signature, running, key_exchange.FRAME_CONTEXT)
    assert not verifying.verifies(signature, running, key_exchange.EXCHANGE_CONTEXT)


def test_more_data_than_a_frame_may_have_is_rejected_before_it_is_read() -> None:
    pair = uplink()
    server = Server(pair.live, pair.server_key, {DEVICE: pair.signing_key.public_key}, max_frame_bytes=147)
    stream = sent(pair.device.seal(DATA))
    with pytest.raises(Rejected, match="frame: more data than is taken"):
        server.session().receive(reading(stream[: EXCHANGE_BYTES + 2 * RECORD_BYTES + 6]))


def test_used_up_sequence_numbers_are_refused_and_never_wrap() -> None:
    records = Records(live_suite(SMALL).aead.cipher(bytes(32)), 1, Direction.DEVICE_TO_SERVER, 64)
    end = Position(MAX_SEQUENCE)
    last = records.seal(end, b"data", last=True)
    assert records.open(end, last[:6], last[6:]) == b"data"
    with pytest.raises(Rejected, match="sequence numbers used up"):
        records.seal(end.following(True), b"data", last=True)
    wrapped = records.seal(Position(0), b"data", last=True)
    with pytest.raises(Rejected, match="sequence numbers used up"):
        records.open(end.following(True), wrapped[:6], wrapped[6:])


def test_used_up_epochs_are_refused() -> None:
    pair = uplink()
    device = Device(pair.live, DEVICE, pair.signing_key, pair.server_key.public_key, epoch=MAX_EPOCH)
    with pytest.raises(Rejected, match="epochs used up"):
        device.seal(DATA)
    with pytest.raises(ValueError, match="epoch: 2147483648 is not allowed"):
        Records(pair.live.aead.cipher(bytes(32)), MAX_EPOCH + 1, Direction.DEVICE_TO_SERVER, 64)


def test_keys_that_are_none_are_refused_at_once() -> None:
    pair = uplink()
    with pytest.raises(ValueError, match=r"."):
        Device(pair.live, DEVICE, pair.signing_key, b"short")
    with pytest.raises(ValueError, match=r"."):
        Server(pair.live, pair.server_key, {1: b"short"})
    with pytest.raises(ValueError, match="number: 65536 is not allowed"):
        Device(pair.live, 65_536, pair.signing_key, pair.server_key.public_key)


def limited(pair: Uplink, records: int) -> tuple[Device, Server]:
    """Both parties with keys that may encrypt so many records."""
    live = dataclasses.replace(pair.live, most_records=records)
    keys = {DEVICE: pair.signing_key.public_key}
    return Device(live, DEVICE, pair.signing_key, pair.server_key.public_key), Server(live, pair.server_key, keys)


def test_a_device_encrypts_no_more_under_a_key_than_it_may_and_then_takes_another() -> None:
    device, server = limited(uplink(), records=5)
    session = server.session()
    assert session.receive(reading(sent(device.seal(DATA)))) == DATA  # three records
    with pytest.raises(Rejected, match="its key may encrypt no more"):
        device.seal(DATA)
    again = device.seal(DATA)
    assert again.key_exchange
    assert server.session().receive(reading(sent(again))) == DATA


def test_a_server_takes_no_record_beyond_those_that_a_key_may_encrypt() -> None:
    pair = uplink()
    _, server = limited(pair, records=5)
    session = server.session()
    session.receive(reading(sent(pair.device.seal(DATA))))
    with pytest.raises(Rejected, match="its key may encrypt no more"):
        session.receive(reading(sent(pair.device.seal(DATA))))


def test_a_suite_has_the_limit_of_its_aead() -> None:
    aes = dataclasses.replace(SMALL, aead="AES-256-GCM")
    assert live_suite(aes).most_records == 24_296_003_999 // 5  # 64 bytes are four blocks, and one more is counted
    assert live_suite(SMALL).most_records is None
