"""What the tasks of a plan read and write, byte by byte."""

from collections.abc import Iterator

import numpy as np

from thalweg.executors.native.plan.nest import Access, Nest
from thalweg.executors.native.plan.plan import Plan

NOBODY, SEVERAL = -1, -2


def assert_tasks_do_not_meet(plan: Plan) -> None:
    """What a task of a stage writes no other reads or writes; of the arena the bytes of all buffers together.

    In a chain this holds for the images: all that its tasks do with one image is done by one thread, in their order.
    """
    for stage in plan.stages:
        users: dict[object, np.ndarray] = {}  # of each byte: who reads or writes it
        written: dict[object, np.ndarray] = {}
        for number, nest in enumerate(stage):
            for writes, accesses in ((False, nest.read), (True, nest.stores.values())):
                for access in accesses:
                    if access.buffer is None or access.gathered is not None:
                        continue
                    inside = access.buffer.kind == "temporary"
                    start = plan.offsets[access.buffer] if inside else 0
                    memory = "arena" if inside else access.buffer
                    size = plan.arena_bytes if inside else access.buffer.nbytes
                    user = users.setdefault(memory, np.full(size, NOBODY))
                    changed = written.setdefault(memory, np.zeros(size, bool))
                    for image, elements in by_image(access, nest):
                        who = number if image is None else len(stage) + image
                        at = every_byte(elements, np.dtype(access.dtype).itemsize, start)
                        others = (user[at] != who) & (user[at] != NOBODY)
                        assert not (others & (writes | changed[at])).any(), access.buffer.label
                        user[at] = np.where(others, SEVERAL, who)
                        changed[at] |= writes


def by_image(access: Access, nest: Nest) -> Iterator[tuple[int | None, np.ndarray]]:
    """The elements of its buffer that an access goes to; for each image, if the nest is in a chain."""
    index, inside = np.array(access.offset), np.array(True)
    lines = [np.array(border.line.start) for border in access.borders]
    for d, (dim, stride) in enumerate(zip(nest.dims, access.strides, strict=True)):
        steps = [border.line.steps[d] for border in access.borders]
        if stride or any(steps) or (d == 0 and nest.images):
            index = np.add.outer(index, stride * np.arange(dim.size))
            lines = [np.add.outer(line, step * np.arange(dim.size)) for line, step in zip(lines, steps, strict=True)]
    for line, border in zip(lines, access.borders, strict=True):  # beyond a border nothing is read
        inside = inside & (line >= 0) & (line < border.size)
    inside = np.broadcast_to(inside, index.shape)
    if nest.images:
        yield from ((i, index[i][inside[i]]) for i in range(nest.images))
    else:
        yield None, index[inside]


def every_byte(elements: np.ndarray, size: int, start: int) -> np.ndarray:
    """The bytes of some elements, each once."""
    return (start + size * np.unique(elements)[:, None] + np.arange(size)).reshape(-1)
