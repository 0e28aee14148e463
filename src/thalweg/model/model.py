"""Models: trained, evaluated, used and saved. How that is done stands in ``training``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from thalweg import config
from thalweg.checks import In, OneOf, check_value
from thalweg.data.source import Rows
from thalweg.executors import explain
from thalweg.executors import threads as cores
from thalweg.executors.executor import leaf_types
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import name_layers
from thalweg.layers.symbols import Symbol
from thalweg.model.files import class_name, registry, revived
from thalweg.model.subclass import Describable
from thalweg.model.wiring import Parts, calls, parts
from thalweg.record.history import History
from thalweg.state import Snapshot
from thalweg.state.names import SEED_STATE
from thalweg.training import checkpoint, data, session
from thalweg.training.callbacks import Callback, CallbackList
from thalweg.training.inference import PIECE, OneRow, Prediction, only
from thalweg.training.progress import Counter, check_verbose
from thalweg.training.session import Count, FitOptions, params
from thalweg.training.step import KINDS, graph_of, prediction_label

if TYPE_CHECKING:
    from thalweg.executors.profile import Profile

Callbacks = Callback | CallbackList | Sequence[Callback] | None


@registry.register("Model")
class Model(Describable):
    """A network from inputs to outputs, made by calling layers on ``Input``; or the base of a class of one's own.

    A class derived from it makes its layers in ``__init__``, after ``super().__init__()``, and says in
    ``call(self, inputs)`` or ``call(self, inputs, training)`` what they compute, with layers and ``thalweg.ops``. Such
    a model is built when it first sees data, or by ``build``.

    Arguments:
        inputs, outputs: a symbol, or a list or mapping of several. With a mapping of outputs ``predict`` gives one too.
            A class of one's own with a ``call`` passes neither.

    Attributes:
        history: the History of the last ``fit``.
        stop_training: set to True by a callback to end training.
        executor: what runs the model; set it before the first use, or leave it to ``thalweg.executors.default()``.

    Raises: GraphError if an output does not come from the inputs.
    """

    def __init__(
        self,
        inputs: Parts | None = None,
        outputs: Parts | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        self.begin(name, trainable)
        self._seed = config.new_seed()
        if inputs is None or outputs is None:
            self.describe()
            return
        entries = parts(inputs, "inputs")
        name_layers(call.layer for call in calls(entries, parts(outputs, "outputs")))  # outputs are named after them
        self._named_outputs = isinstance(outputs, Mapping)
        self.connect(entries, parts(outputs, "outputs"))
        self._give_values()

    def begin(self, name: str | None, trainable: bool) -> None:
        super().begin(name, trainable)
        self.history: History | None = None

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """The model on arrays: predictions. On symbols: it becomes a layer of another model, weights shared.

        Arguments:
            training: on symbols, False for a part that is to behave as in prediction also while the rest is trained.
        """
        several = isinstance(inputs, Mapping | list | tuple)
        given = list(inputs.values() if isinstance(inputs, Mapping) else inputs) if several else [inputs]
        if given and all(isinstance(part, Symbol | Node) for part in given):
            if not self.built and isinstance(given[0], Symbol):
                self._describe_by(inputs)
            return self._call_inside(inputs, given, training)
        return self.predict(inputs, verbose=0)

    # Training

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        threads: int | None = None,
        seed: int | None = None,
    ) -> History:
        """Train. Arguments as in Keras, and two more.

        Arguments:
            batch_size: 32 unless given; 1 for stochastic gradient descent, ``"full"`` for all rows in one step.
            epochs: the index after the last epoch: with ``initial_epoch=2``, ``epochs=5`` trains 3.
            validation_batch_size: accepted; the results do not depend on it.
            threads: at most so many; all cores unless given or set in ``THALWEG_THREADS``. Results do not depend on it.
            seed: of the shuffling and of dropout, and of the weights of a model that is not built yet.

        Ctrl-C finishes the step and returns what there is, with ``history.stopped_by == "user"``.

        Raises: ShapeError, DTypeError, DataError or ArgumentError before anything has changed; NonFiniteError if a
            loss is not finite, with the model as it was before that step.
        """
        options = FitOptions(
            32 if batch_size is None else batch_size,
            epochs,
            initial_epoch,
            shuffle,
            steps_per_epoch,
            validation_freq if isinstance(validation_freq, int) else tuple(validation_freq),
            threads,
            verbose,
        )
        watchers = CallbackList(callbacks)
        self._require_compiled("fit")
        self._build_for(x, seed)
        self._choose_loss(y, verbose)
        trainer = self._ready_to_train("fit")
        rows = self._prepare(x, y, sample_weight, class_weight)
        rows, held_out = self._hold_out(rows, validation_split, validation_data)
        if held_out is not None:
            size = options.batch(rows.count) if validation_batch_size is None else validation_batch_size
            held_out = _first(held_out, validation_steps, size, "fit: of the validation")
        if seed is not None:
            self.state.write(SEED_STATE, seed)
        self.stop_training = False
        told = params(verbose, options.epochs, options.steps(rows.count))
        self.history = History(params=told, seed=self.state.number(SEED_STATE))
        watchers.attach(self, told)
        session.fit(trainer, rows, held_out, options, watchers, self.history)
        return self.history

    def _prepare(self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> Rows:
        types = _sample_types(self._inputs)
        return data.prepare(x, y, sample_weight, class_weight, types, self._ready_to_train("training").goals)

    def _hold_out(self, rows: Rows, share: float, given: Any) -> tuple[Rows, Rows | None]:
        """The rows to train on and those to validate on: ``validation_data`` wins over ``validation_split``."""
        if given is not None:
            return rows, self._prepare(*data.unpack_validation(given))
        return data.split_tail(rows, share) if share else (rows, None)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics over all rows: a list in the order of ``metrics_names``, a number if there is only a loss.

        The results do not depend on ``batch_size``.
        """
        verbose, watchers = check_verbose(verbose), CallbackList(callbacks)
        self._require_compiled("evaluate")
        self._build_for(x)
        self._choose_loss(y, verbose)
        trainer = self._ready_to_train("evaluate")
        rows = _first(self._prepare(x, y, sample_weight), steps, batch_size, "evaluate")
        watchers.attach(self, {"verbose": verbose, "steps": rows.count})
        logs = trainer.evaluate(rows, watchers, verbose)
        return logs if return_dict else _flat(logs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | str | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on all the rows given; loss and metrics of this batch as ``evaluate`` returns them."""
        self._require_compiled("train_on_batch")
        self._build_for(x)
        self._choose_loss(y, verbose=0)
        trainer = self._ready_to_train("train_on_batch")
        logs = trainer.train_on_batch(self._prepare(x, y, sample_weight, class_weight))
        return logs if return_dict else _flat(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of the rows given, without training."""
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    # Use

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Callbacks = None,
    ) -> Any:
        """The outputs for all rows. The results do not depend on ``batch_size``, and no size compiles anything new."""
        one_row = self._one_row
        if one_row is not None and one_row.takes(x) and callbacks is None:
            return one_row(x)
        rows = _first(self._rows(x), steps, batch_size, "predict")
        return self._predict(rows, check_verbose(verbose), CallbackList(callbacks))

    def _rows(self, x: Any) -> Rows:
        """The data as the model takes them, for prediction. Raises ShapeError, DTypeError or DataError."""
        self._build_for(x)
        return data.prepare_inputs(x, _sample_types(self._inputs))

    def _predict(self, rows: Rows, verbose: int | str, watchers: CallbackList) -> Any:
        if self._prediction is None:
            self._prediction = Prediction(self._net(), self._ready())
        threads = cores.wanted(None)
        if len(self._inputs) == len(self._outputs) == 1 and rows.count == 1:
            self._one_row = self._one_row or OneRow(self._prediction)
        watchers.attach(self, {"verbose": verbose, "steps": rows.count})
        single = watchers.watches_batches("predict")
        counter = Counter(verbose, "Predict", -(-rows.count // 128))

        def watch(done: int) -> bool:
            counter.update(done)
            if single:
                watchers.call("on_predict_batch_begin", done - 1)
                watchers.call("on_predict_batch_end", done - 1)
            return True

        watchers.call("on_predict_begin")
        results = self._prediction.run(rows, threads, watch, single)
        watchers.call("on_predict_end")
        counter.finish()
        named = {name: results[prediction_label(name)] for name in self._outputs}
        return named if self._named_outputs else only(list(named.values()))

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for all rows."""
        return self.predict(x, verbose=0)

    # The engine

    def explain(self, stage: str = "graph", batch_size: int | None = None, what: str = "train") -> str:
        """What a step is compiled to, as text; docs/engine.md explains how to read it.

        Arguments:
            stage: "graph" as traced from the layers, "simplified", "kernels" (what is computed together), "plan" (tasks
                and their memory), "ir" (LLVM's), "assembly".
            batch_size: rows of the step; unless given 32 to train, else 128, which is what evaluate and predict take.
            what: the step to "train", "evaluate" or "predict".

        Raises: NameNotFoundError for an unknown stage; ExecutorError for one that the executor does not go through;
            GraphError if the model is not built, or not compiled for more than prediction.
        """
        explain.check_stage(stage)
        batch = self._step_rows("explain", what, batch_size)
        graph = self._step_graph("explain", what, batch, weighted=False)
        return explain.explain(self.executor, graph, stage, gather=what != "predict" or batch == PIECE)

    def profile(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
        *,
        what: str = "train",
        threads: int | None = None,
        seconds: float = 1.0,
        peak: float | None = None,
    ) -> Profile:
        """Where the time of a step goes: run on these data, task by task, by the step itself. The model stays as it is.

        Arguments:
            batch_size, what: as in :meth:`explain`.
            threads: exactly so many; unless given, one or all, whichever is quicker.
            seconds: to spend on it, beside the time to compile.
            peak: float32 operations that the processor can do in a second; measured unless given.

        Example: ``print(model.profile(x, y))``
        Raises: what :meth:`explain` and ``evaluate`` raise.
        """
        from thalweg.executors.profile import measured  # takes 1 ms to load, a twentieth of all of thalweg

        seconds = check_value("profile", "seconds", Annotated[float, In("(0, inf)")], seconds)
        peak = check_value("profile", "peak", Annotated[float, In("(0, inf)")] | None, peak)
        wanted = self._step_rows("profile", what, batch_size)
        if what == "predict":
            rows = self._rows(x)
            data.require_rows(rows)
        else:
            self._require_compiled("profile")
            self._build_for(x)
            rows = self._prepare(x, y, sample_weight)
        batch = min(wanted, rows.count)
        graph = self._step_graph("profile", what, batch, rows.weighted)
        ones = {name: np.ones((rows.count, *kind.shape[1:]), kind.dtype) for name, kind in leaf_types(graph)[0].items()}
        return measured(
            self.executor,
            graph,
            self.state.memory,
            ones | rows.arrays,
            batch,
            what=what,
            threads=threads,
            seconds=seconds,
            peak=peak,
        )

    def _step_rows(self, owner: str, what: str, batch_size: int | None) -> int:
        """How many rows a step of a kind has. Raises ArgumentError for a kind or number that cannot be."""
        check_value(owner, "what", Annotated[str, OneOf(*KINDS)], what)
        rows: int | None = check_value(owner, "batch_size", Count | None, batch_size)
        return rows or (32 if what == "train" else PIECE)

    def _step_graph(self, owner: str, what: str, batch: int, weighted: bool) -> Graph:
        """The graph of a step for so many rows. Raises GraphError if the model is not ready for it."""
        if what == "predict":
            self._require_built(owner)
            return graph_of(what, self._net(), None, None, batch, weighted)
        self._require_compiled(owner)
        self._require_built(owner)
        trainer = self._ready_to_train(owner)
        return graph_of(what, trainer.net, trainer.goals, trainer.optimizer, batch, weighted)

    # Files

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """The whole model in one file: layers, weights, and, if compiled, all that is needed to go on training.

        Training goes on from it to the same bits as without the file between.
        Raises: StorageError if it cannot be written (an older file then stays as it was); ArgumentError if something
            in the model cannot be described in a file.
        """
        self._require_built("save")
        self._give_values()
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        state = self.kept_state()
        checkpoint.save(filepath, state, self._description(with_compile=True), overwrite)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[type[Model], dict[str, Any], Snapshot, int]]:
        """Copies and pickles hold what a file holds: compiled code and addresses must not be copied."""
        description = self._description(with_compile=True)
        self._give_values()
        if self.optimizer is not None:
            self._give_slots(self.optimizer)
        return revived, (type(self), description, self.kept_state(), checkpoint.FORMAT)

    def _description(self, with_compile: bool) -> dict[str, Any]:
        description = {"class_name": class_name(type(self)), "config": self.structure()}
        if with_compile and self.optimizer is not None and self._compiled is not None:
            description["compile"] = checkpoint.describe_compile(self.optimizer.rule, self._compiled.arguments)
            fixed = self.fixed_trainable()
            if fixed is not None:
                description["compiled_for"] = fixed
        return description

    def to_json(self, **kwargs: Any) -> str:
        """The layers and how they are connected, without weights; keywords go to ``json.dumps``."""
        return json.dumps(self._description(with_compile=False), **kwargs)


def _sample_types(inputs: Mapping[str, Symbol]) -> dict[str, TensorType]:
    return {label: TensorType(symbol.type(1).shape[1:], symbol.dtype) for label, symbol in inputs.items()}


def _first(rows: Rows, steps: int | None, batch_size: int | None, owner: str) -> Rows:
    """The rows of the first ``steps`` batches; all without ``steps``. Raises ArgumentError for a bad number."""
    batch_size = check_value(owner, "batch_size", Count | None, batch_size)
    steps = check_value(owner, "steps", Count | None, steps)
    return rows if steps is None else rows.take(slice(steps * (batch_size or 32)))


def _flat(logs: Mapping[str, Any]) -> float | list[Any]:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
