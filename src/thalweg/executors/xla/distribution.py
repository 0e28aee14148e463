"""Over which devices a training is spread, and what lies on which of them: plain values, named as in Keras.

JAX is loaded only where somebody asks which devices there are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg import config
from thalweg.checks import Count, NotEmpty, OneOf, Reserved, check_value, checked
from thalweg.errors import ArgumentError, ShapeError, did_you_mean, listed
from thalweg.executors.xla import devices as jax_devices
from thalweg.graph.types import TensorType

BATCH = "batch"
"""What the axis of a mesh is called that splits batches, where nobody has given it a name."""

Axes = tuple[str | None, ...]
"""For each axis of an array the axis of the mesh that splits it; None for one that is not split."""

KINDS = ("cpu", "gpu", "tpu")


@checked
def list_devices(device_type: Annotated[str, OneOf(*KINDS)] | None = None) -> list[str]:
    """The devices of a kind as ``"gpu:0"``, those of all processes; by default of the kind that JAX prefers.

    Raises: MissingPackageError without JAX; ExecutorError if there is none of this kind.
    """
    return [jax_devices.name_of(device) for device in jax_devices.devices(device_type)]


@checked
def get_device_count(device_type: Annotated[str, OneOf(*KINDS)] | None = None) -> int:
    """How many devices ``list_devices`` lists. Raises as it does."""
    return len(list_devices(device_type))


class DeviceMesh:
    """Devices in rows and columns, so that different axes of arrays can be split over different axes of it.

    Arguments:
        shape: ``(8,)``, or ``(2, 4)`` for 2 groups of 4.
        axis_names: a name for each axis.
        devices: as ``list_devices`` names them, one for each place; all of those that it lists unless given.

    Attributes:
        devices: their names, in an array of this shape.

    Raises: ArgumentError if names, places and devices do not go together, or there is no such device.
    """

    @checked
    def __init__(
        self,
        shape: Annotated[tuple[Count, ...], NotEmpty()],
        axis_names: Annotated[tuple[str, ...], NotEmpty()],
        devices: Any = None,
    ) -> None:
        if len(shape) != len(axis_names) or len(set(axis_names)) < len(axis_names):
            raise ArgumentError(
                "DeviceMesh: axes and names do not go together",
                expected=f"{len(shape)} different axis_names for the shape {shape}",
                got=repr(axis_names),
                fix='for example DeviceMesh((2, 4), ("batch", "model"))',
            )
        names = _device_names("DeviceMesh", devices)
        if math.prod(shape) != len(names):
            some = "all that JAX sees: " if devices is None else ""
            raise ArgumentError(
                "DeviceMesh: there must be as many devices as places",
                expected=f"{math.prod(shape)} devices, for the shape {shape}",
                got=f"{len(names)} ({some}{listed(names)})",
                fix=f"use a shape whose product is {len(names)}, or pass devices=list_devices()[:{math.prod(shape)}]"
                if len(names) > math.prod(shape)
                else f"use a shape whose product is {len(names)}; on one machine without others "
                "XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of the CPU, to try things",
            )
        self.shape = shape
        self.axis_names = axis_names
        self.devices = np.array(names).reshape(shape)

    def size(self, axis: str) -> int:
        """How many devices an axis has."""
        return self.shape[self.axis_names.index(axis)]

    def require(self, kind: str) -> None:
        """Raise ArgumentError if the devices are not of this kind."""
        there = [jax_devices.name_of(device) for device in jax_devices.devices(kind)]
        if not set(self.devices.flat) <= set(there):
            raise ArgumentError(
                "the devices of the distribution are of another kind",
                expected=f"devices of the kind {kind!r}, as it was said where to run: {listed(there)}",
                got=repr(self),
                fix=f"make the distribution of list_devices({kind!r}), or say only 'xla'",
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceMesh) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.shape, self.axis_names, tuple(self.devices.flat)

    def __repr__(self) -> str:
        return f"DeviceMesh(shape={self.shape}, axis_names={self.axis_names}, devices={self.devices.ravel().tolist()})"


def _device_names(owner: str, devices: Any) -> list[str]:
    """The names of these devices, or of all. Raises ArgumentError if one is not there, or is named twice."""
    if devices is None:
        return list_devices()
    given = [jax_devices.name_of(x) if hasattr(x, "platform") else x for x in np.asarray(devices, object).flat]
    names: list[str] = check_value(owner, "devices", Annotated[list[str], NotEmpty()], given)
    kinds = {name.partition(":")[0] for name in names}
    known = [name for kind in sorted(kinds & set(KINDS)) for name in list_devices(kind)]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(
            f"{owner}: there is no such device",
            expected=f"some of {listed(known or list_devices())}",
            got=repr(unknown[0]),
            fix="see thalweg.distribution.list_devices()",
        )
    if len(kinds) > 1 or len(set(names)) < len(names):
        raise ArgumentError(
            f"{owner}: these devices cannot work together",
            expected="different devices of one kind",
            got=listed(names),
            fix='pass those of one kind, for example devices=list_devices("gpu")',
        )
    return names


class TensorLayout:
    """Which axes of an array are split over which axes of a mesh.

    Arguments:
        axes: one for each axis of the array: the name of the mesh's axis that splits it, or None.
        device_mesh: that of the ``LayoutMap`` that it is put into, unless given.

    Raises: ArgumentError if the mesh has no such axis, or one is to split two.
    """

    @checked
    def __init__(self, axes: tuple[str | None, ...], device_mesh: DeviceMesh | None = None) -> None:
        self.axes: Axes = axes
        self._device_mesh = device_mesh
        names = [axis for axis in axes if axis is not None]
        if len(set(names)) < len(names):
            raise ArgumentError(
                "TensorLayout: an axis of the mesh can split only one axis of an array",
                expected="each name once, and None for axes that are not split",
                got=repr(axes),
                fix="replace the second one by None",
            )
        self._check()

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh whose axes these are. It can be set once; raises ArgumentError as the constructor."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, mesh: DeviceMesh) -> None:
        if self._device_mesh not in (None, mesh):
            raise ArgumentError(
                "TensorLayout: the layout has another mesh",
                expected=repr(self._device_mesh),
                got=repr(mesh),
                fix="make a TensorLayout without a mesh, or write the axes as a tuple",
            )
        self._device_mesh = mesh
        self._check()

    def _check(self) -> None:
        if self._device_mesh is None:
            return
        for axis in self.axes:
            if axis is not None and axis not in self._device_mesh.axis_names:
                raise ArgumentError(
                    "the mesh has no such axis",
                    expected=f"None, or one of {listed(self._device_mesh.axis_names)}",
                    got=f"{axis!r} in the layout {self.axes}",
                    fix=did_you_mean(axis, self._device_mesh.axis_names),
                )

    def __repr__(self) -> str:
        return f"TensorLayout({self.axes})"


class LayoutMap(MutableMapping[str, TensorLayout]):
    """Layouts of parameters by their paths.

    A key is a path, ``"dense/kernel"``, or a pattern that fits whole paths (``re.fullmatch``), ``".*dense.*kernel"``.
    A value is a ``TensorLayout``, or a tuple of its axes. What an optimizer keeps of a parameter lies as it does.

    Arguments:
        device_mesh: the mesh whose axes the layouts name.

    Raises: ArgumentError for a key that is there or no pattern, and for a path that two patterns fit.
    """

    @checked
    def __init__(self, device_mesh: DeviceMesh) -> None:
        self.device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    def __getitem__(self, key: str) -> TensorLayout | None:  # type: ignore[override]  # None where nothing fits: Keras's
        """The layout for a path; None if no key fits it."""
        fitting = self.fitting(key)
        if len(fitting) > 1:
            raise ArgumentError(
                f"two rules of the LayoutMap are for {key!r}",
                expected="one pattern that fits the path, or the path itself as a key",
                got=listed(fitting),
                fix="make one of them fit less",
            )
        return self._layouts[fitting[0]] if fitting else None

    def __setitem__(self, key: str, layout: TensorLayout | tuple[str | None, ...]) -> None:
        key = check_value("LayoutMap", "key", str, key)
        if key in self._layouts:
            raise ArgumentError(
                f"LayoutMap: there is a layout for {key!r}",
                expected="another key",
                got=f"{self._layouts[key]} and {layout}",
                fix=f"del layout_map[{key!r}] first",
            )
        try:
            re.compile(key)
        except re.error as error:
            raise ArgumentError(
                "LayoutMap: the key is no pattern",
                expected="the path of a parameter, or a regular expression",
                got=f"{key!r}: {error}",
                fix="put a backslash before what is meant as it stands",
            ) from error
        if not isinstance(layout, TensorLayout):
            layout = TensorLayout(layout)
        layout.device_mesh = self.device_mesh
        self._layouts[key] = layout

    def __contains__(self, key: object) -> bool:
        return key in self._layouts

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)

    def copy(self) -> LayoutMap:
        """Another one with the same rules."""
        made = LayoutMap(self.device_mesh)
        made._layouts = dict(self._layouts)
        return made

    def fitting(self, path: str) -> list[str]:
        """The keys that are for a path: the path itself, or all patterns that fit it."""
        return [path] if path in self._layouts else [key for key in self._layouts if re.fullmatch(key, path)]

    def __repr__(self) -> str:
        return f"LayoutMap({self._layouts})"


class Distribution:
    """How a training is spread over devices: what ``DataParallel`` and ``ModelParallel`` have in common.

    Attributes:
        device_mesh: the devices.
        batch_dim_name: the axis of the mesh that splits batches.
        layouts: of parameters by their paths or patterns of them; what no rule fits is on all devices, whole.
    """

    auto_shard_dataset: ClassVar[bool] = True

    def __init__(self, device_mesh: DeviceMesh, batch_dim_name: str, layouts: LayoutMap) -> None:
        self.device_mesh = device_mesh
        self.batch_dim_name = batch_dim_name
        self.layouts = layouts
        if batch_dim_name not in device_mesh.axis_names:
            raise ArgumentError(
                f"{type(self).__name__}: the mesh has no such axis",
                expected=f"batch_dim_name: one of {listed(device_mesh.axis_names)}",
                got=repr(batch_dim_name),
                fix=did_you_mean(batch_dim_name, device_mesh.axis_names),
            )

    @property
    def num_model_replicas(self) -> int:
        """Over how many devices, or groups of devices, a batch is split."""
        return self.device_mesh.size(self.batch_dim_name)

    def axes(self, path: str, kind: TensorType) -> Axes:
        """How a parameter lies. Raises ShapeError if its rule cannot be kept, ArgumentError if it has two."""
        layout = self.layouts[path]
        if layout is None:
            return ()
        if len(layout.axes) != kind.rank:
            raise ShapeError(
                f"the layout of {path!r} does not fit the parameter",
                expected=f"{kind.rank} axes, for the shape {kind.shape}",
                got=f"{len(layout.axes)}: {layout.axes}",
                fix="give each axis of the parameter the name of an axis of the mesh, or None",
            )
        for size, axis in zip(kind.shape, layout.axes, strict=True):
            parts = 1 if axis is None else self.device_mesh.size(axis)
            if size % parts:
                lower = size - size % parts
                raise ShapeError(
                    f"the devices cannot divide the parameter {path!r}",
                    expected=f"a multiple of {parts}, the size of the mesh's axis {axis!r}",
                    got=f"{size}, in the shape {kind.shape}",
                    fix=f"use {f'{lower} or ' if lower else ''}{lower + parts}, another mesh, or no rule for it",
                )
        return layout.axes

    def axes_if_possible(self, path: str, kind: TensorType) -> Axes:
        """How what is kept for a parameter lies: as it does, or whole where its shape is another."""
        try:
            return self.axes(path, kind)
        except ShapeError:
            return ()

    def check(self, parameters: Mapping[str, TensorType]) -> None:
        """Raise what ``axes`` raises for one of these parameters, and ArgumentError for a rule that fits none."""
        for path, kind in parameters.items():
            self.axes(path, kind)
        used = {rule for path in parameters for rule in self.layouts.fitting(path)}
        for rule in self.layouts:
            if rule not in used:
                raise ArgumentError(
                    "a rule of the LayoutMap fits no parameter",
                    expected=f"the path of one, or a pattern that fits some of {listed(parameters)}",
                    got=repr(rule),
                    fix=did_you_mean(rule, parameters),
                )

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Inside, this is the distribution of ``set_distribution``."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Distribution) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        rules = tuple((rule, self.layouts[rule].axes) for rule in self.layouts)  # type: ignore[union-attr]  # is there
        return self.device_mesh, self.batch_dim_name, rules

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.device_mesh})"


class DataParallel(Distribution):
    """Each device computes its part of every batch, and has all parameters.

    Losses, metrics and batch normalisation are of the whole batch: the results do not depend, beyond rounding, on how
    many devices there are, nor on whether they divide the batch.

    Arguments:
        device_mesh: of one axis; all devices of ``list_devices`` unless given.
        devices: as ``list_devices`` names them, in place of a mesh.
        auto_shard_dataset: every process takes its part of each batch.

    Raises: ArgumentError for both a mesh and devices, or a mesh of more axes.
    """

    @checked
    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Any = None,
        auto_shard_dataset: Annotated[bool, Reserved(True)] = True,
    ) -> None:
        if device_mesh is None:
            names = _device_names("DataParallel", devices)
            device_mesh = DeviceMesh((len(names),), (BATCH,), names)
        elif devices is not None or len(device_mesh.shape) > 1:
            raise ArgumentError(
                "DataParallel splits each batch over all of its devices",
                expected="devices, or a device_mesh of one axis",
                got="both" if devices is not None else repr(device_mesh),
                fix="pass devices alone, or use ModelParallel, whose rules say what the other axes split",
            )
        super().__init__(device_mesh, device_mesh.axis_names[0], LayoutMap(device_mesh))


class ModelParallel(Distribution):
    """Parameters too large for one device are split by rules; batches over one axis of the mesh as in DataParallel.

    What no rule fits, every device has. The results do not depend on the rules, beyond rounding.

    Arguments:
        layout_map: the rules, and the mesh; a later change of it changes nothing here.
        batch_dim_name: the axis of the mesh that splits batches; its first one unless given.
        auto_shard_dataset: every process takes its part of each batch.

    Raises: ArgumentError without a layout_map, or for an axis that its mesh lacks.
    """

    @checked
    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: Annotated[bool, Reserved(True)] = True,
        device_mesh: DeviceMesh | None = None,
    ) -> None:
        if layout_map is None or device_mesh not in (None, layout_map.device_mesh):
            raise ArgumentError(
                "ModelParallel: the rules say which devices there are",
                expected="layout_map=LayoutMap(device_mesh) with rules in it",
                got="none" if layout_map is None else f"device_mesh={device_mesh} beside {layout_map.device_mesh}",
                fix="put the layouts of parameters into a LayoutMap; without rules DataParallel does the same",
            )
        mesh = layout_map.device_mesh
        axis = mesh.axis_names[0] if batch_dim_name is None else batch_dim_name
        super().__init__(mesh, axis, layout_map.copy())  # programs are made for the rules as they are now

    @property
    def layout_map(self) -> LayoutMap:
        """The rules."""
        return self.layouts


def distribution() -> Distribution | None:
    """What ``set_distribution`` has said last; None before."""
    value: Distribution | None = config.distribution()
    return value


@checked
def set_distribution(value: Distribution | None) -> None:
    """Spread the models that first run from now on over these devices; None ends that.

    It means the xla executor. A model that has run stays where it is: ``fit(..., distribution=)`` moves it.

    Raises: ArgumentError for what is no distribution.
    """
    config.set_distribution(value)
