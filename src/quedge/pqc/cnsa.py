"""Whether a suite is what the NSA's Commercial National Security Algorithm Suite 2.0 asks for.

It allows ML-KEM-1024, ML-DSA-87, AES with keys of 256 bits, and SHA-384 or SHA-512, at every level of classification;
no other algorithm and no hybrid is on its list, however strong.

Source: NSA, "Announcing the Commercial National Security Algorithm Suite 2.0" (2022, updated May 2025).
"""

from __future__ import annotations

from quedge.pqc.profiles import Profiles, known_profiles
from quedge.pqc.suite import Suite, hash_of

KEMS, SIGNATURES, HASHES = ("ML-KEM-1024",), ("ML-DSA-87",), ("SHA-384", "SHA-512")
AEADS = ("AES-256-GCM", "AES-256-GCM-ASM", "AES-256-GCM-CT", "AES-256-GCM-HW")


def outside_cnsa(suite: Suite, profiles: Profiles | None = None) -> tuple[str, ...]:
    """The parts of a suite that are outside of CNSA 2.0, each with what is inside; none where it conforms.

    Raises:
        ValueError: an unknown name; the message names the key, the name and what is allowed.
    """
    profiles = known_profiles() if profiles is None else profiles
    kem = profiles.algorithm("kem", "kem", suite.kem)
    signature = profiles.algorithm("signature", "signature", suite.signature)
    aead = profiles.algorithm("aead", "aead", suite.aead)
    parts = (kem.name, KEMS), (signature.name, SIGNATURES), (aead.name, AEADS), (hash_of(kem, signature), HASHES)
    return tuple(f"{name} instead of {allowed[0]}" for name, allowed in parts if name not in allowed)
