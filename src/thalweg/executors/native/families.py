"""How quick the cores of processors are, by family and model, as far as that is published.

Sources: Fog (2025), "Instruction tables" and "The microarchitecture of Intel, AMD and VIA CPUs"; Abel & Reineke (2019),
"uops.info", ASPLOS; Arm, "Software optimization guide" of Cortex-A76, Neoverse N1, N2, V1, V2. Which numbers belong to
which processor: Linux, arch/x86/include/asm/intel-family.h and arch/arm64/include/asm/cputype.h.

Left out, and so measured, is what has one number and several speeds: Intel's server processors of model 85 (Skylake,
Cascade Lake) have one 512-bit unit or two, AMD's mobile Zen 5 half as wide ones as those for servers.
"""

from __future__ import annotations

from typing import NamedTuple

from thalweg.executors.native.host import Core, Host


class Identity(NamedTuple):
    """What a processor says it is: of x86 vendor, family and model, of ARM implementer, 0 and part."""

    vendor: str
    family: int
    model: int


class Units(NamedTuple):
    """A core's units for vectors: how many there are and the bits that each does in a cycle; wider vectors take longer.

    Arguments:
        latency: cycles from a multiply-add to the next on the same register.
        adders: units that only add, beside those that multiply.
    """

    multiply_adds: int
    bits: int
    latency: int
    loads: int
    load_bits: int
    adders: int = 0


_ZEN_1, _ZEN_2, _ZEN_3 = Units(2, 128, 5, 2, 128, 2), Units(2, 256, 5, 2, 256, 2), Units(2, 256, 4, 2, 256, 2)
_ZEN_5 = Units(2, 512, 4, 2, 512, 2)
_HASWELL, _SKYLAKE, _ICE_LAKE = Units(2, 256, 5, 2, 256), Units(2, 256, 4, 2, 256), Units(2, 256, 4, 2, 512)
_GOLDEN_COVE, _SERVER = Units(2, 256, 4, 3, 256), Units(2, 512, 4, 2, 512)
_NEOVERSE_N1, _NEOVERSE_N2, _NEOVERSE_V = Units(2, 128, 4, 2, 128), Units(2, 128, 4, 3, 128), Units(4, 128, 4, 3, 128)
_APPLE = Units(4, 128, 4, 3, 128)

_MODELS = {
    ("AuthenticAMD", 0x17): {**dict.fromkeys(range(0x30), _ZEN_1), **dict.fromkeys(range(0x30, 0x100), _ZEN_2)},
    ("AuthenticAMD", 0x19): dict.fromkeys(range(0x100), _ZEN_3),  # and Zen 4, which does 512-bit vectors in halves
    ("AuthenticAMD", 0x1A): dict.fromkeys((*range(0x20), *range(0x40, 0x50)), _ZEN_5),  # servers and desktops
    ("GenuineIntel", 6): {
        **dict.fromkeys((0x3C, 0x3F, 0x45, 0x46, 0x3D, 0x47, 0x4F, 0x56), _HASWELL),  # and Broadwell
        **dict.fromkeys((0x4E, 0x5E, 0x8E, 0x9E, 0xA5, 0xA6), _SKYLAKE),
        **dict.fromkeys((0x7D, 0x7E, 0x8C, 0x8D, 0xA7), _ICE_LAKE),  # and Tiger Lake, Rocket Lake
        **dict.fromkeys((0x97, 0x9A, 0xB7, 0xBA, 0xBF), _GOLDEN_COVE),  # Alder Lake and Raptor Lake
        **dict.fromkeys((0x6A, 0x6C, 0x8F, 0xCF, 0xAD, 0xAE), _SERVER),  # Ice Lake to Granite Rapids
    },
    ("0x41", 0): {
        **dict.fromkeys((0xD0B, 0xD0C), _NEOVERSE_N1),  # and Cortex-A76
        0xD49: _NEOVERSE_N2,
        **dict.fromkeys((0xD40, 0xD4F), _NEOVERSE_V),  # Graviton 3 and 4, Grace
    },
}


def units(identity: Identity) -> Units | None:
    """Of this processor; None if that is not known."""
    if identity.vendor == "Apple":
        return _APPLE
    return _MODELS.get((identity.vendor, identity.family), {}).get(identity.model)


def core_with(of: Units, host: Host) -> Core:
    """What these units do in a cycle with a host's vectors."""
    bits = 8 * host.vector_bytes
    if host.fma:
        products = float(of.multiply_adds)
    else:  # the product and the sum are instructions of their own
        products = (of.multiply_adds + of.adders) / 2
    return Core(
        multiply_adds=products * min(1.0, of.bits / bits),
        vector_loads=of.loads * min(1.0, of.load_bits / bits),
        number_loads=of.loads,
        latency=of.latency,
    )
