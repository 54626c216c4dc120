"""A hundred thousand altered messages, of which none is accepted."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator

from quedge.pqc.uplink.primitives import Rejected
from quedge.pqc.uplink.server import Session
from tests.pqc.uplink.parties import DATA, EXCHANGE_BYTES, flipped, reading, sent, uplink

MUTATIONS = 100_000


def accepted_frames(session: Session, stream: bytes) -> int:
    """Number of frames that a session takes of a stream before it rejects; the session stays as it is."""
    tried, read = copy.copy(session), reading(stream)
    for count in itertools.count():
        try:
            tried.receive(read)
        except Rejected:
            return count
    raise AssertionError


def altered_streams(frames: list[list[bytes]], others: list[bytes], rng: random.Random) -> Iterator[bytes]:
    """Streams of two frames' records without end, altered in one of ten ways or several."""
    records = [record for frame in frames for record in frame]
    genuine = b"".join(records)

    def with_records(change: Callable[[list[bytes]], object]) -> bytes:
        changed = list(records)
        change(changed)
        return b"".join(changed)

    def swap(changed: list[bytes]) -> None:
        one, two = rng.sample(range(len(changed)), 2)
        changed[one], changed[two] = changed[two], changed[one]

    def overwritten() -> bytes:
        at, length = rng.randrange(len(genuine)), rng.randint(1, 40)
        return genuine[:at] + rng.randbytes(length) + genuine[at + length :]

    def spliced() -> bytes:
        other = rng.choice(others)
        return genuine[: rng.randrange(len(genuine))] + other[rng.randrange(len(other)) :]

    def several() -> bytes:
        stream = genuine
        for _ in range(rng.randint(2, 6)):
            stream = flipped(stream, rng.randrange(8 * len(stream)))
        return stream

    ways = (
        several,
        overwritten,
        spliced,
        lambda: genuine[: rng.randrange(len(genuine))],
        lambda: genuine + rng.randbytes(rng.randint(1, 60)),
        lambda: rng.randbytes(rng.randint(0, len(genuine))),
        lambda: with_records(swap),
        lambda: with_records(lambda changed: changed.insert(rng.randrange(6), rng.choice(changed))),
        lambda: with_records(lambda changed: changed.pop(rng.randrange(5))),
        lambda: with_records(lambda changed: changed.__setitem__(rng.randrange(5), rng.choice(others))),
    )
    while True:
        stream = rng.choice(ways)()
        if stream != genuine:
            yield stream


def test_of_a_hundred_thousand_altered_messages_none_is_accepted() -> None:
    rng, pair = random.Random(0), uplink()
    first = pair.device.seal(DATA)
    message = first.key_exchange
    tried = 0

    # the key exchange: every bit, then what is longer, shorter or elsewhere by some bytes
    following = b"".join(first.records)
    for bit in range(8 * EXCHANGE_BYTES):
        assert accepted_frames(pair.server.session(), flipped(message, bit) + following) == 0
        tried += 1
    for _ in range(2_000):
        at, cut = rng.randrange(EXCHANGE_BYTES), rng.randint(1, 20)
        for altered in (message[:at] + message[at + cut :], message[:at] + rng.randbytes(cut) + message[at:]):
            if not altered.startswith(message):
                assert accepted_frames(pair.server.session(), altered + following) == 0
                tried += 1

    # records: every bit of a frame, then streams altered in many ways
    session = pair.server.session()
    session.receive(reading(sent(first)))
    second, third = pair.device.seal(DATA), pair.device.seal(DATA[:100])
    frames = [second.records, third.records]
    genuine = [b"".join(frame) for frame in frames]
    assert accepted_frames(session, b"".join(genuine)) == 2  # the oracle below can be reached
    for bit in range(8 * len(genuine[0])):
        assert accepted_frames(session, flipped(genuine[0], bit) + genuine[1]) == 0
        tried += 1

    pair.device.begin_session()
    stranger = uplink()
    stranger.device.seal(DATA)
    of_others = [record for frame in (first, *(device.seal(DATA) for device in (pair.device, stranger.device)))
                 for record in frame.records]  # fmt: skip
    for stream in altered_streams(frames, of_others, rng):
        intact = stream.startswith(genuine[0]) + stream.startswith(b"".join(genuine))
        assert accepted_frames(session, stream) == intact
        tried += 1
        if tried == MUTATIONS:
            break
    assert tried == MUTATIONS
