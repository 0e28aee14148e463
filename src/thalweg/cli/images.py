"""What train, evaluate and predict do with images."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import callbacks
from thalweg.cli import kept, networks
from thalweg.cli.data import Images, Part, Pile
from thalweg.cli.kept import Kept
from thalweg.cli.reporting import Teller
from thalweg.data import atomic, image_files, pictures
from thalweg.errors import DataError, listed
from thalweg.fields import dataclass
from thalweg.model import Model

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


def train(
    data: Images,
    options: Options,
    *,
    output: Path,
    epochs: int | None,
    time_limit: float | None,
    threads: int | None,
    executor: str | None,
    teller: Teller,
) -> bool:
    """Train a network, save it, and say how good it is. False if Ctrl-C has ended the training.

    Raises: ThalwegError; OSError if the result cannot be told.
    """
    if data.name not in networks.DEFAULTS:
        teller.say(data.told())
    kind = options.model or networks.default(data)
    net = networks.network(
        kind, data, units=options.units or None, activation=options.activation, dropout=options.dropout
    )
    chosen = "" if options.model else f"; --model takes {networks.others(kind)}"
    teller.say(f"Network: {kind}, {net.count_params():,} weights{chosen}")
    net.compile(
        networks.optimizer(options.optimizer or "adam", options.learning_rate), networks.LOSS, metrics=["accuracy"]
    )
    networks.choose_executor(net, executor)
    history = net.fit(
        *data.train,
        batch_size=options.batch_size or 128,
        epochs=EPOCHS if epochs is None else epochs,
        callbacks=[callbacks.TimeLimit(time_limit)] if time_limit else None,
        threads=threads,
        verbose=teller.verbose,
    )
    net.save(output)
    kept.keep(output, data)
    results = scores(net, data.test)
    teller.result(
        f"Test accuracy {results['accuracy']:.4f}, loss {results['loss']:.4f}; saved to {output}",
        {"model": str(output), "test": results, "rows": len(data.test[0]), "epochs": len(history.epoch)},
    )
    return history.stopped_by != "user"


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


def evaluate(net: Model, known: Kept, data: Images | Pile, teller: Teller) -> None:
    """Say how good a network is on the images that it was not trained on.

    Raises: DataError if the images have classes that the network has not.
    """
    held = isinstance(data, Pile) and data.digest() == known.digest
    x, y = data.cut().test if held or isinstance(data, Images) else (data.x, data.y)
    teller.say(f"{len(x):,} images" + (", those of them that train held out" if held else ""))
    results = scores(net, (x, _renumbered(y, data, known)))
    teller.result(
        "\n".join(f"{name}: {value:.4f}" for name, value in results.items()), {**results, "rows": len(x), "held": held}
    )


def _renumbered(y: np.ndarray, data: Images | Pile, known: Kept) -> np.ndarray:
    """The classes as the network counts them, by their names."""
    if not known.classes or data.class_names == known.classes:
        return y
    present = [data.class_names[number] for number in np.unique(y)]
    strange = [name for name in present if name not in known.classes]
    if strange:
        raise DataError(
            "the network has not learned some of these classes",
            expected=listed(known.classes),
            got=listed(strange),
            fix="leave their images out, or train with them",
        )
    places = [known.classes.index(name) if name in known.classes else 0 for name in data.class_names]
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
    names = [known.class_name(number) for number in range(probabilities.shape[1])]
    if output is not None:
        write(output, read.names, names, probabilities)
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


def write(output: str, images: Sequence[str], names: Sequence[str], probabilities: np.ndarray) -> None:
    """A CSV file with a row for each image: its name, ``prediction``, and ``probability_<class>`` of each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "prediction", *(f"probability_{name}" for name in names)])
    for image, row in zip(images, probabilities, strict=True):
        writer.writerow([image, names[int(row.argmax())], *(f"{value:.6g}" for value in row)])
    if output == "-":
        sys.stdout.write(text.getvalue())
    else:
        atomic.write(output, [text.getvalue().encode()])
