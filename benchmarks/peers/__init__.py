"""The peers: who they are, what they need, what they can train.

One file per peer holds ``train(task, arrays, clock) -> test accuracy``, and likewise ``train_population`` where it
trains one, and ``infer`` where it is timed at prediction; this table is all that is known of it without importing it.
Every timed process loads this module: nothing heavy here.
"""

from importlib.util import find_spec
from typing import NamedTuple

from benchmarks.layers import Dense
from benchmarks.workloads import SLOTS, Workload

KERAS_RULES = tuple(SLOTS)
TORCH_RULES = tuple(rule for rule in SLOTS if rule not in ("lion", "lamb", "ftrl"))
JAX_RULES = tuple(rule for rule in SLOTS if rule not in ("nadam", "lamb", "ftrl", "adafactor"))


class Peer(NamedTuple):
    """One way to train a workload."""

    name: str
    title: str
    module: str  # in benchmarks.peers
    requires: tuple[str, ...]  # modules that must be installed
    optimizers: tuple[str, ...] = KERAS_RULES
    forms: tuple[str, ...] = ("rows",)  # of the samples: rows of numbers, images
    plain_only: bool = False  # knows dense layers only: no normalisation, no dropout
    populations: bool = True  # has train_population
    infers: bool = False  # has infer, which predicts and evaluates
    uint8: bool = False  # trains on uint8 images, scaled and flattened inside the model
    channels_last: bool = False  # of the images in memory, for PyTorch, whose default is channels first
    policies: tuple[str, ...] = ("float32",)
    caches: bool = False  # keeps compiled code on disk, so that a warm start differs from a cold one
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required modules that are not installed."""
        return tuple(name for name in self.requires if find_spec(name) is None)

    def supports(self, workload: Workload) -> bool:
        """Whether the peer has these optimizers and layers and this form of the data."""
        has_rules = set(workload.rules) <= set(self.optimizers)
        has_layers = not self.plain_only or all(isinstance(layer, Dense) and layer.plain for layer in workload.layers)
        has_form = workload.source.form in self.forms and not (self.uint8 and workload.source.uint8_shape is None)
        can = (self.populations or not workload.settings) and (self.infers or workload.what == "train")
        return has_rules and has_layers and has_form and can and workload.policy in self.policies

    def data_name(self, workload: Workload) -> str:
        """Folder of the arrays that the peer trains on."""
        return workload.source.name + ("_uint8" if self.uint8 else "")


THALWEG = "thalweg"
ANY_FORM = ("rows", "images")
ANY_POLICY = ("float32", "mixed_bfloat16")

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            THALWEG,
            "thalweg",
            "thalweg_fit",
            ("thalweg",),
            forms=ANY_FORM,
            policies=ANY_POLICY,
            infers=True,
            caches=True,
        ),
        Peer(
            "thalweg_uint8",
            "thalweg, uint8 data",
            "thalweg_fit",
            ("thalweg",),
            forms=ANY_FORM,
            populations=False,
            uint8=True,
            caches=True,
        ),
        Peer(
            "thalweg_xla",
            "thalweg, xla executor",
            "thalweg_fit",
            ("thalweg", "jax"),
            forms=ANY_FORM,
            policies=ANY_POLICY,
            populations=False,
            caches=True,
            environment=(("THALWEG_EXECUTOR", "xla"),),
        ),
        Peer(
            "jax_scan",
            "JAX, hand-written, scan",
            "jax_scan",
            ("jax",),
            optimizers=JAX_RULES,
            forms=ANY_FORM,
            policies=ANY_POLICY,
            caches=True,
        ),
        Peer(
            "keras_jax",
            "Keras on JAX",
            "keras_jax",
            ("keras", "jax"),
            forms=ANY_FORM,
            policies=ANY_POLICY,
            infers=True,
            caches=True,
            environment=(("KERAS_BACKEND", "jax"),),
        ),
        Peer(
            "torch_memory",
            "PyTorch, in memory, fused",
            "torch_memory",
            ("torch",),
            optimizers=TORCH_RULES,
            forms=ANY_FORM,
            policies=ANY_POLICY,
            infers=True,
        ),
        Peer(
            "torch_channels_last",
            "PyTorch, in memory, fused, channels last",
            "torch_memory",
            ("torch",),
            optimizers=TORCH_RULES,
            forms=("images",),
            infers=True,
            channels_last=True,
        ),
        Peer(
            "torch_compiled",
            "PyTorch, torch.compile",
            "torch_compiled",
            ("torch",),
            optimizers=TORCH_RULES,
            forms=ANY_FORM,
            populations=False,
            caches=True,
        ),
        Peer(
            "torch_compiled_channels_last",
            "PyTorch, torch.compile, channels last",
            "torch_compiled",
            ("torch",),
            optimizers=TORCH_RULES,
            forms=("images",),
            channels_last=True,
            caches=True,
        ),
        Peer("torch_loader", "PyTorch, DataLoader", "torch_loader", ("torch",), optimizers=TORCH_RULES),
        Peer(
            "sklearn_mlp",
            "scikit-learn",
            "sklearn_mlp",
            ("sklearn",),
            optimizers=("adam",),
            plain_only=True,
            populations=False,
        ),
        Peer(
            "numpy_plain",
            "NumPy, hand-written",
            "numpy_plain",
            ("numpy",),
            optimizers=("adam", "rmsprop", "sgd"),
            plain_only=True,
        ),
    )
}
