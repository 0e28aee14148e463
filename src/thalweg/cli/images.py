"""What train, evaluate and predict do with images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import callbacks, config, evaluation
from thalweg.cli import kept, networks, recorded, saving
from thalweg.cli.data import Images, Part, Pile
from thalweg.cli.kept import Kept
from thalweg.cli.options import Common
from thalweg.cli.reporting import Teller
from thalweg.data import image_files, pictures
from thalweg.data.tables.writing import write_table
from thalweg.errors import ArgumentError, DataError, listed
from thalweg.evaluation import Judgement
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.record.run import Run

EPOCHS = 8


@dataclass(frozen=True)
class Options:
    """Of a training, as ``thalweg train`` has them; None where the default is meant."""

    model: str | None = None
    units: list[int] | None = None
    activation: str | None = None
    dropout: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    treat: bool | None = None


def train(
    data: Images,
    options: Options,
    common: Common,
    teller: Teller,
    run: Run | None = None,
) -> bool:
    """Train a network, save it, and say how good it is. False if Ctrl-C has ended the training.

    Arguments:
        run: to record it in.

    Raises: ThalwegError; OSError if the result cannot be told.
    """
    if data.name not in networks.DEFAULTS:
        for sentence in data.told():
            teller.note(sentence)
    kind = options.model or networks.default(data)
    net = networks.network(
        kind, data, units=options.units or None, activation=options.activation, dropout=options.dropout
    )
    chosen = "" if options.model else f"; --model takes {networks.others(kind)}"
    teller.say(f"Network: {kind}, {net.count_params():,} weights{chosen}")
    net.compile(
        networks.optimizer(options.optimizer or "adam", options.learning_rate), networks.LOSS, metrics=["accuracy"]
    )
    net.class_names = data.class_names
    networks.choose_executor(net, common.executor)
    how: dict[str, Any] = {
        "batch_size": options.batch_size or 128,
        "epochs": EPOCHS if common.epochs is None else common.epochs,
        "threads": common.threads,
        "verbose": teller.verbose,
    }
    further: dict[str, Any] = {}
    if options.treat:
        net, told = _treated(net, data, common, how, teller)
        further, stopped = {"treatment": told}, False
    else:
        limit = [] if common.time_limit is None else [callbacks.TerminateAfter(common.time_limit)]
        kept_by = [] if common.backup is None else [common.backup]
        history = net.fit(*data.train, **how, callbacks=[*limit, *kept_by], run=run)
        further, stopped = {"epochs": len(history.epoch)}, history.stopped_by == "user"
    saving.save(net, common.output)
    kept.keep(common.output, data)
    if common.report is not None:
        judgement(net, data.test, data.class_names, data.test_names, str(common.output)).write(common.report)
        teller.say(f"The report is in {common.report}.")
    results = scores(net, data.test)
    recorded.keep(run, common.output, results, teller)
    teller.result(
        f"Test accuracy {results['accuracy']:.4f}, loss {results['loss']:.4f}; saved to {common.output}",
        {"model": str(common.output), "test": results, "rows": len(data.test[0]), **further},
    )
    return not stopped


def _treated(
    net: Model, data: Images, common: Common, how: dict[str, Any], teller: Teller
) -> tuple[Model, dict[str, Any]]:
    """The network that a treatment gives, and what there is to tell of it. Raises ArgumentError for what it cannot."""
    from thalweg.diagnosis import treat  # only where it is asked for

    for name, given in (("--time-limit", common.time_limit), ("--checkpoint-every", common.backup)):
        if given is not None:
            raise ArgumentError(
                f"{name} is for one training, and --treat trains many times",
                expected="--treat with --epochs, which says how long one training is",
                got=f"--treat and {name}",
                fix="leave one of them out",
            )
    treatment = treat(net, *data.train, task="multiclass", seed=config.root_seed() or 0, **how)
    teller.say(str(treatment))
    return treatment.model, treatment.to_dict()


def scores(net: Model, part: Part) -> dict[str, Any]:
    """Loss and metrics by their names."""
    results = net.evaluate(*part, verbose=0, return_dict=True)
    assert isinstance(results, dict), "return_dict"
    return results


def form(net: Model) -> pictures.Form | None:
    """What pictures are brought to for a network; None if it leaves that open, or takes no images."""
    match net.inputs[0].shape[1:]:
        case (int(height), int(width)):
            return pictures.Form(height, width, channels=1)
        case (int(height), int(width), int(channels)):
            return pictures.Form(height, width, channels)
    return None


def judgement(
    net: Model, part: Part, classes: Sequence[str], names: Sequence[str], name: str, notes: Sequence[str] = ()
) -> Judgement:
    """All that can be said of a network by images that it has not seen."""
    return evaluation.judge_predictions(
        part[1],
        net.predict(part[0], verbose=0),
        classes=list(classes),
        columns={"image": np.array(names, object)} if names else None,
        name=name,
        notes=notes,
    )


def evaluate(net: Model, known: Kept, data: Images | Pile, name: str, report: Path | None, teller: Teller) -> None:
    """Say how good a network is on the images that it was not trained on.

    Raises: DataError if the images have classes that the network has not.
    """
    held = isinstance(data, Pile) and data.digest() == known.digest
    if isinstance(data, Pile) and not held:
        x, y, names = data.x, data.y, data.names
    else:
        cut = data.cut()
        (x, y), names = cut.test, cut.test_names
    notes = [f"{len(x):,} images" + (", those of them that train held out" if held else "") + "."]
    part = x, _renumbered(y, data, net.class_names)
    found = judgement(net, part, net.class_names or data.class_names, names, f"{name} on {data.name}", notes)
    if report is not None:
        found.write(report)
    teller.show(found, held=held)


def _renumbered(y: np.ndarray, data: Images | Pile, known: Sequence[str]) -> np.ndarray:
    """The classes as the network counts them, by their names, if these are known."""
    if not known or data.class_names == tuple(known):
        return y
    present = [data.class_names[number] for number in np.unique(y)]
    strange = [name for name in present if name not in known]
    if strange:
        raise DataError(
            "the network has not learned some of these classes",
            expected=listed(known),
            got=listed(strange),
            fix="leave their images out, or train with them",
        )
    places = [known.index(name) if name in known else 0 for name in data.class_names]
    return np.asarray(np.array(places)[y])


def predict(net: Model, known: Kept, files: Sequence[Path], invert: bool, output: str | None, teller: Teller) -> None:
    """Say what the network sees in images. Raises ThalwegError; OSError if that cannot be written."""
    read = image_files.read_all(files, net.inputs[0].shape[1:], teller.progress("Reading"))
    x = known.fitted(read.images)
    if invert:
        x = (255 if x.dtype == np.uint8 else known.full) - x
    for told in (read.told, known.told(read.names, x)):
        if told:
            print(told, file=sys.stderr)
    probabilities = net.predict(x, verbose=0)
    names = _class_names(net, probabilities.shape[1])
    if output is not None:
        columns = {f"probability_{name}": probabilities[:, number] for number, name in enumerate(names)}
        seen = np.array(names, object)[probabilities.argmax(1)]
        write_table(output, {"image": np.array(read.names, object), "prediction": seen, **columns})
        if output != "-":
            teller.result(f"{len(probabilities):,} predictions written to {output}", {"rows": len(probabilities)})
        return
    teller.result(
        table(read.names, names, probabilities),
        {
            "predictions": [
                {"image": image, "prediction": names[int(row.argmax())], "probability": float(row.max())}
                for image, row in zip(read.names, probabilities, strict=True)
            ]
        },
    )


def _class_names(net: Model, count: int) -> list[str]:
    """What the classes are called; their numbers where they have no names."""
    return [*net.class_names[:count], *map(str, range(len(net.class_names), count))]


def table(images: Sequence[str], names: Sequence[str], probabilities: np.ndarray) -> str:
    """A line for each image: its class, how sure that is, and the next class."""
    width = max(len("Image"), *map(len, images))
    most = max(len("Class"), *map(len, names))
    lines = [f"{'Image':<{width}}  {'Class':<{most}}  Probability  Next"]
    for image, row in zip(images, probabilities, strict=True):
        first, second = np.argsort(row)[::-1][:2] if len(row) > 1 else (0, 0)
        next_one = f"{names[second]} ({row[second]:.4f})"
        lines.append(f"{image:<{width}}  {names[first]:<{most}}  {row[first]:>11.4f}  {next_one}")
    return "\n".join(lines)
