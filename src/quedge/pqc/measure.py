"""What the algorithms take on this machine, and whether their sizes are those of the profiles."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quedge.errors import MissingExtraError, is_integer, not_allowed
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.uplink import algorithms, primitives
from quedge.pqc.uplink.primitives import Aead, Kem, Signature

MAX_CPU_S = 2.0
"""Processor time after which an operation is not repeated any more."""

MIN_RUNS = 3

_BATCH_NS = 20_000
_WARM_CALLS, _WARM_NS = 5, 1_000_000  # a batch is sized by the least of so many calls, or of those within 1 ms
_MESSAGE, _CONTEXT = bytes(64), b"quedge measure"
_SAME_CODE = dict.fromkeys(("AES-256-GCM-ASM", "AES-256-GCM-CT", "AES-256-GCM-HW"), "AES-256-GCM")


@dataclass(frozen=True)
class Timing:
    """Processor time of one operation.

    Attributes:
        operation: "keygen", "encaps", "decaps", "sign", "verify", "encrypt" or "decrypt".
        data_bytes: data of an AEAD; None for others.
        median_us: median over the runs (µs).
        p95_us: 95th percentile over the runs (µs).
        runs: number of runs.
        calls: calls in a run, whose mean it is; above 1 where a call is shorter than 20 µs.
    """

    operation: str
    data_bytes: int | None
    median_us: float
    p95_us: float
    runs: int
    calls: int


@dataclass(frozen=True)
class Measured:
    """An algorithm as it ran.

    Attributes:
        row: its name and sizes in the profiles.
        library: what ran it.
        public_key_bytes: size of its public key; None for an AEAD.
        output_bytes: size of its ciphertext, signature or tag.
        timings: of its operations.
    """

    row: Algorithm
    library: str
    public_key_bytes: int | None
    output_bytes: int
    timings: tuple[Timing, ...]

    @property
    def mismatches(self) -> tuple[str, ...]:
        """One sentence per size that differs from the profiles."""
        sizes = (
            ("public key", self.public_key_bytes, self.row.public_key_bytes),
            ("output", self.output_bytes, self.row.output_bytes),
        )
        return tuple(
            f"{self.row.name}: {what} has {measured} bytes where the profile has {expected}"
            for what, measured, expected in sizes
            if measured != expected
        )


@dataclass(frozen=True)
class Machine:
    """The machine on which times were taken.

    Attributes:
        processor: the machine's name for its kind of processor.
        cpus: number of processors.
        load_1min: load average over the last minute; None where the system has none.
        python: version of Python.
        libraries: versions of the cryptographic libraries.
    """

    processor: str
    cpus: int
    load_1min: float | None
    python: str
    libraries: dict[str, str]


def machine() -> Machine:
    """This machine, now."""
    try:
        load = os.getloadavg()[0]
    except (OSError, AttributeError):
        load = None
    python = platform.python_version()
    return Machine(_processor(), os.cpu_count() or 1, load, python, algorithms.library_versions())


def measurable() -> list[Algorithm]:
    """The algorithms that can be measured if a library runs them; hashes are measured as part of others."""
    return [row for row in known_profiles().algorithms if row.kind != "hash"]


def offered() -> tuple[list[Algorithm], dict[str, str]]:
    """The algorithms that the installed libraries run, and by name why the others do not run."""
    runs: list[Algorithm] = []
    others: dict[str, str] = {}
    for row in measurable():
        if row.name in _SAME_CODE:
            others[row.name] = f"the code of {_SAME_CODE[row.name]}; the name tells builds on devices apart"
            continue
        try:
            check_offered(row)
        except primitives.NoLibraryError:
            others[row.name] = "none of the supported libraries runs it"
        except (MissingExtraError, primitives.UnofferedError) as refusal:
            others[row.name] = str(refusal)
        else:
            runs.append(row)
    return runs, others


def check_offered(row: Algorithm) -> None:
    """Refuse an algorithm that the installed libraries do not run.

    Raises:
        MissingExtraError: a library is not installed; the message names the extra.
        UnofferedError: no library offers it, or the installed build does not.
    """
    {"kem": algorithms.kem, "signature": algorithms.signature, "aead": algorithms.aead}[row.kind](row.name)


def measure(row: Algorithm, repeat: int = 200, aead_bytes: Sequence[int] = (1024, 16_384, 375_000)) -> Measured:
    """Run an algorithm's operations and time each.

    Args:
        row: which one, from the profiles.
        repeat: most runs of an operation; fewer, yet at least three, where they take more than 2 s.
        aead_bytes: data of an AEAD's operations.

    Raises:
        MissingExtraError: a library is not installed; the message names the extra.
        UnofferedError: no library offers it, or the installed build does not.
        ValueError: a number of runs that is none.
    """
    if not (is_integer(repeat) and repeat >= 1):
        raise not_allowed("repeat", repeat, "an integer, at least 1")
    if row.kind == "kem":
        return _measured_kem(algorithms.kem(row.name), repeat)
    if row.kind == "signature":
        return _measured_signature(algorithms.signature(row.name), repeat)
    return _measured_aead(algorithms.aead(row.name), repeat, aead_bytes)


def _measured_kem(kem: Kem, repeat: int) -> Measured:
    secret_key = kem.generate()
    public_key = kem.public(secret_key.public_key)
    ciphertext, secret = public_key.encapsulate()
    if secret_key.decapsulate(ciphertext) != secret:
        raise AssertionError(f"{kem.row.name} of {kem.library} gave two secrets")
    timings = (
        _timed("keygen", kem.generate, repeat),
        _timed("encaps", public_key.encapsulate, repeat),
        _timed("decaps", lambda: secret_key.decapsulate(ciphertext), repeat),
    )
    return Measured(kem.row, kem.library, len(secret_key.public_key), len(ciphertext), timings)


def _measured_signature(scheme: Signature, repeat: int) -> Measured:
    signing_key = scheme.generate()
    public_key = scheme.public(signing_key.public_key)
    signature = signing_key.sign(_MESSAGE, _CONTEXT)
    if not public_key.verifies(signature, _MESSAGE, _CONTEXT):
        raise AssertionError(f"{scheme.row.name} of {scheme.library} does not verify its own signature")
    timings = (
        _timed("keygen", scheme.generate, repeat),
        _timed("sign", lambda: signing_key.sign(_MESSAGE, _CONTEXT), repeat),
        _timed("verify", lambda: public_key.verifies(signature, _MESSAGE, _CONTEXT), repeat),
    )
    return Measured(scheme.row, scheme.library, len(signing_key.public_key), len(signature), timings)


def _measured_aead(aead: Aead, repeat: int, aead_bytes: Sequence[int]) -> Measured:
    cipher, nonce = aead.cipher(os.urandom(primitives.KEY_BYTES)), bytes(primitives.NONCE_BYTES)
    timings: list[Timing] = []
    for count in aead_bytes:
        timings += _aead_timings(cipher, nonce, os.urandom(count), repeat)
    return Measured(aead.row, aead.library, None, len(cipher.encrypt(nonce, b"", b"")), tuple(timings))


def _aead_timings(cipher: primitives.Cipher, nonce: bytes, data: bytes, repeat: int) -> tuple[Timing, Timing]:
    """Uses one nonce throughout, which is safe only because nothing is sent."""
    sealed = cipher.encrypt(nonce, data, b"")
    if cipher.decrypt(nonce, sealed, b"") != data:
        raise AssertionError("an AEAD does not decrypt what it encrypted")
    return (
        _timed("encrypt", lambda: cipher.encrypt(nonce, data, b""), repeat, len(data)),
        _timed("decrypt", lambda: cipher.decrypt(nonce, sealed, b""), repeat, len(data)),
    )


def _timed(operation: str, call: Callable[[], object], repeat: int, data_bytes: int | None = None) -> Timing:
    calls = max(1, _BATCH_NS // max(1, _shortest_ns(call)))
    times: list[float] = []
    begun = time.thread_time_ns()
    while len(times) < repeat:
        times.append(_run_ns(call, calls) / calls)
        if len(times) >= MIN_RUNS and time.thread_time_ns() - begun > MAX_CPU_S * 1e9:
            break
    median, p95 = np.percentile(times, (50.0, 95.0)) / 1e3
    return Timing(operation, data_bytes, float(median), float(p95), len(times), calls)


def _shortest_ns(call: Callable[[], object]) -> int:
    """The shortest of a few calls (ns), after one that warms up."""
    _run_ns(call, 1)
    taken = [_run_ns(call, 1)]
    while len(taken) < _WARM_CALLS and sum(taken) < _WARM_NS:
        taken.append(_run_ns(call, 1))
    return min(taken)


def _run_ns(call: Callable[[], object], calls: int) -> int:
    begun = time.thread_time_ns()
    for _ in range(calls):
        call()
    return time.thread_time_ns() - begun


def _processor() -> str:
    """The processor's model where Linux tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
