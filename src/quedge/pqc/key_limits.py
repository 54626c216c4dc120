"""How many records one key of an AEAD may encrypt, and what follows for the interval between key exchanges.

AES-GCM gives an adversary an advantage that grows with the square of the blocks under one key. RFC 8446 (5.5) allows
2^24.5 records of 2^14 bytes under a key, as RFC 9147 (4.5.3) does: 2^34.5 blocks of 16 bytes. We count these for
records of any size, each as one block more than it has. NIST SP 800-38D (8.3) bounds a key to 2^32 records only where
nonces are not built from a counter, as ours are. ChaCha20-Poly1305 has no limit before sequence numbers are used up.
"""

from __future__ import annotations

import math

from quedge.pqc.profiles import Algorithm
from quedge.pqc.suite import Suite

BLOCK_BYTES = 16


def most_records(aead: Algorithm, record_bytes: int) -> int | None:
    """Most records of so many bytes that one key may encrypt; None without a limit."""
    if aead.blocks_per_key is None:
        return None
    return aead.blocks_per_key // (math.ceil(record_bytes / BLOCK_BYTES) + 1)


def check_key_use(suite: Suite, aead: Algorithm, records_per_frame: int = 1) -> None:
    """Refuse an interval in which one key would encrypt more than it may.

    Args:
        suite: the suite, with its interval K.
        aead: its AEAD.
        records_per_frame: records of each frame; a frame has one at least.

    Raises:
        ValueError: the message names K, its value and what is allowed.
    """
    limit = most_records(aead, suite.record_bytes)
    if limit is not None and suite.rekey_frames * records_per_frame > limit:
        many = "a record" if records_per_frame == 1 else f"{records_per_frame} records"
        raise ValueError(
            f"rekey_frames: {suite.rekey_frames} is not allowed; a key of {aead.name} may encrypt {limit} records of "
            f"{suite.record_bytes} bytes, so with {many} a frame it must be at most {limit // records_per_frame}"
        )
