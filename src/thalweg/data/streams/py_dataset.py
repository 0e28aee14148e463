"""Data that a class of a user's own gives batch by batch, by number: Keras's PyDataset, formerly Sequence."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Annotated, Any

from thalweg.checks import Count, In, check_value
from thalweg.data.source import Place, Turn
from thalweg.data.streams.parts import Parts
from thalweg.trees import Tree

__all__ = ["DatasetParts", "PyDataset"]


class PyDataset:
    """The base of data that are made batch by batch: a class derived from it says how many there are, and makes each.

    A batch is ``x``, ``(x, y)`` or ``(x, y, sample_weight)``; the last may have fewer rows. ``fit`` shuffles the order
    of the batches, unless told not to; ``on_epoch_begin`` and ``on_epoch_end`` are called around each pass.

    Arguments:
        workers: how many threads make batches at the same time.
        use_multiprocessing: whether they are processes, which get copies of this object.
        max_queue_size: batches that are made before they are wanted, by several workers.

    Example:
        >>> import numpy as np
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 2
        ...     def __getitem__(self, index):
        ...         x = np.arange(3.0)[:, None] + 3 * index
        ...         return x, x**2
        >>> [y.ravel().tolist() for x, y in Squares()]
        [[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        owner = type(self).__name__
        self.workers = check_value(owner, "workers", Annotated[int, In("[0, inf)")], workers)
        self.use_multiprocessing = check_value(owner, "use_multiprocessing", bool, use_multiprocessing)
        self.max_queue_size = check_value(owner, "max_queue_size", Count, max_queue_size)

    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(self, index), which gives a batch")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None for no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} has no __len__, which says how many batches there are")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before each pass."""

    def on_epoch_end(self) -> None:
        """Called after each pass: the place to shuffle rows, or to make others."""


class DatasetParts(Parts):
    """The batches of such data, also of a class derived from Keras's own.

    Their order is of the seed and the pass alone. What the data do themselves at the ends of passes is repeated when a
    training goes on in another process.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.name = type(dataset).__name__
        count = dataset.num_batches if hasattr(type(dataset), "num_batches") else len(dataset)
        self.batches = None if count is None else int(count)
        self._passes = 0  # that were begun
        self._within = False

    def first(self) -> Tree:
        if self.batches == 0:
            raise StopIteration
        return self.dataset[0]

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        self._end()
        while self._passes < turn.since:
            self._begin()
            self._end()
        self._begin()
        if self.batches is None:
            return self._made(itertools.count(start.batches))
        order = turn.order(self.batches)
        numbers = range(self.batches) if order is None else order.tolist()
        return self._made(iter(numbers[start.batches :]))

    def leave(self, unread: list[Tree]) -> None:
        self._end()

    def _begin(self) -> None:
        self._passes += 1
        self._within = True
        _call(self.dataset, "on_epoch_begin")

    def _end(self) -> None:
        if self._within:
            self._within = False
            _call(self.dataset, "on_epoch_end")

    def _made(self, numbers: Iterator[int]) -> Iterator[Tree]:
        """The batches of these numbers, several at a time where there are workers."""
        workers, processes = getattr(self.dataset, "workers", 1), getattr(self.dataset, "use_multiprocessing", False)
        if workers < 2 and not (workers and processes):
            yield from map(self.dataset.__getitem__, numbers)
            return
        pool: Executor = (
            ProcessPoolExecutor(workers, initializer=_remember, initargs=(self.dataset,))
            if processes
            else ThreadPoolExecutor(workers, "thalweg-worker")
        )
        make = _remembered if processes else self.dataset.__getitem__
        waiting: deque[Future[Tree]] = deque()
        try:
            for number in numbers:
                waiting.append(pool.submit(make, number))
                if len(waiting) >= getattr(self.dataset, "max_queue_size", 10):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=not processes, cancel_futures=True)


def _call(dataset: Any, name: str) -> None:
    hook = getattr(dataset, name, None)
    if hook is not None:
        hook()


_copy: Any = None
"""In a worker process the data that it makes batches of."""


def _remember(dataset: Any) -> None:
    global _copy  # a process of a pool is handed things in no other way
    _copy = dataset


def _remembered(number: int) -> Any:
    return _copy[number]
