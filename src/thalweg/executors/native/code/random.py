"""How random numbers are written in LLVM."""

from __future__ import annotations

from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.ops.random import PARITY, ROTATIONS, ROUNDS, RandomBits

LOWERINGS = Lowerings()


@LOWERINGS.lowers(RandomBits, cheap=False)
def lower_random_bits(op: RandomBits, build: Builder, seed: Value, step: Value, place: Value) -> Value:
    """The first word of Threefry-2x32-20, see RandomBits. Only ``place``, the number of the element, has lanes."""
    index = build.bits(place, "uint32")
    lanes = index.lanes

    def spread(x: Value) -> Value:
        return build.splat(x, lanes) if lanes else x

    parity = build.constant(PARITY ^ op.stream, "uint32")
    keys = [spread(seed), build.like(op.stream, index), spread(build.binary("xor", parity, seed))]
    x, y = build.add(index, keys[0]), build.add(spread(step), keys[1])
    for turn in range(ROUNDS):
        x = build.add(x, y)
        turned = build.intrinsic("fshl", "uint32", lanes, y, y, build.like(ROTATIONS[turn % 8], y))
        y = build.binary("xor", turned, x)
        if turn % 4 == 3:
            block = turn // 4 + 1
            x = build.add(x, keys[block % 3])
            y = build.add(y, build.add(keys[(block + 1) % 3], build.like(block, y)))
    return x
