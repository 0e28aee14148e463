"""Every public name of Keras works or says what to use instead; older paths lead to where things are now."""

import ast
import copy
import importlib.util
import pickle
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import thalweg
from thalweg import absent
from thalweg.absent import AbsentNameError
from thalweg.advice import ADVICE, OLDER_PATHS, Advice
from thalweg.errors import AbsentAttributeError, AbsentImportError, ThalwegError

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).parent / "keras_names.txt"
NAMES = {
    name: since
    for name, _, since in (line.partition(" ") for line in FILE.read_text(encoding="utf-8").splitlines()[1:])
}
"""Path below ``keras`` -> the version that has added it, where that is newer than the first one recorded."""
PUBLIC: list[str] = vars(thalweg)["__all__"]
MODULES = {path.rpartition(".")[0] for path in NAMES}


def look_up(path: str) -> Any:
    """What stands in thalweg under the path of a name of Keras. Raises AbsentNameError."""
    value: Any = thalweg
    for name in path.split("."):
        value = getattr(value, name)
    return value


class Silent(NamedTuple):
    """A name that neither works nor gives advice."""

    path: str
    why: str


def answer(path: str) -> object:
    """What thalweg has there, or the row of advice."""
    try:
        value = look_up(path)
    except AbsentNameError as error:
        asked = f"{error.module}.{error.name}".removeprefix("thalweg.")
        return absent.advice(asked) or Silent(path, "no row of advice")
    except Exception as error:
        return Silent(path, repr(error))
    return value if isinstance(value, ModuleType) == (path in MODULES) else Silent(path, f"is {value!r}")


ANSWERS = {path: answer(path) for path in NAMES}
WORKS = {path: value for path, value in ANSWERS.items() if not isinstance(value, Advice | Silent)}


def test_every_name_of_keras_works_or_says_what_to_use_instead():
    assert [value for value in ANSWERS.values() if isinstance(value, Silent)] == []


@pytest.mark.needs("keras")
def test_the_names_are_those_that_keras_itself_lists():
    """Its ``__init__`` files are read, not run: that is all that is public, and Keras takes seconds to import."""
    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    version = re.search(r'__version__ = "(\d+)\.(\d+)', (package / "src/version.py").read_text(encoding="utf-8"))
    assert version is not None
    installed = tuple(map(int, version.groups()))
    recorded = {path for path, since in NAMES.items() if not since or tuple(map(int, since.split("."))) <= installed}
    assert set(listed(package)) - NAMES.keys() == set()
    if (3, 15) <= installed <= (3, 16):
        assert recorded == set(listed(package))


def listed(package: Path) -> Iterator[str]:
    for file in package.rglob("__init__.py"):
        parts = file.relative_to(package).parts[:-1]
        if parts[:1] in (("src",), ("_tf_keras",)):
            continue
        for statement in ast.parse(file.read_bytes()).body:
            if isinstance(statement, ast.ImportFrom):
                names = [alias.asname or alias.name for alias in statement.names]
                yield from (".".join([*parts, name]) for name in names if name[0] != "_" or name == "__version__")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("from thalweg.layers import LSTM", "Conv1D"),
        ("from thalweg.layers import Dense, MultiHeadAttention", "ops.softmax"),
        ("from thalweg.layers.recurrent import GRU", "Conv1D"),
        ("from thalweg.callbacks import RemoteMonitor", "LambdaCallback"),
        ("from thalweg.applications import VGG16", "thalweg.models"),
        ("import thalweg.applications.vgg16", "thalweg.models"),
        ("from thalweg.preprocessing.image import ImageDataGenerator", "fit takes arrays"),
        ("from thalweg.preprocessing.text import Tokenizer", "pad_sequences"),
        ("from thalweg.wrappers.scikit_learn import KerasClassifier", "cross_validate"),
        ("from thalweg.distribution import distribute_tensor", "thalweg.distribution"),
        ("from thalweg.layers import Densee", "did you mean 'Dense'?"),
        ("from thalweg.models import Sequental", "did you mean 'Sequential'?"),
        ("import thalweg.losse", "did you mean 'losses'?"),
    ],
)
def test_the_import_statement_shows_the_advice(statement, says):
    with pytest.raises(AbsentImportError) as caught:
        exec(statement)
    assert says in caught.value.fix
    assert caught.value.expected
    assert caught.value.got


def test_an_attribute_that_is_missing():
    with pytest.raises(AbsentNameError) as caught:
        _ = thalweg.layers.LSTM  # type: ignore[attr-defined]
    error = caught.value
    assert str(error).splitlines()[0] == "thalweg.layers has no 'LSTM'"
    assert "recurrent layers" in error.got
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(other) == str(error)
    assert not hasattr(thalweg.layers, "LSTM")
    assert getattr(thalweg.layers, "LSTM", None) is None
    assert not hasattr(error, "anything")
    assert importlib.util.find_spec("thalweg.layers._private") is None


@pytest.mark.parametrize("module", [name for name in PUBLIC if name not in ("errors", "__version__")])
def test_every_public_module_gives_advice(module):
    value = getattr(thalweg, module)
    if isinstance(value, ModuleType):
        with pytest.raises(AbsentNameError):
            value.no_such_name  # noqa: B018
        assert value.__path__ is not None


@pytest.mark.parametrize("path", OLDER_PATHS)
def test_older_paths_lead_to_what_is_there_now(path):
    module = importlib.import_module(f"thalweg.{path}")
    present = importlib.import_module(f"thalweg.{OLDER_PATHS[path]}")
    names = module.__all__
    assert names
    assert all(getattr(module, name) is getattr(present, name) for name in names[:3])
    assert look_up(path) is module


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("layers.advanced_activations", "LeakyReLU PReLU ELU"),
        ("layers.convolutional", "Conv2D UpSampling2D ZeroPadding2D"),
        ("layers.core", "Activation Dense Dropout Flatten Reshape"),
        ("layers.embeddings", "Embedding"),
        ("layers.merge", "add concatenate Add Concatenate"),
        ("layers.noise", "GaussianNoise"),
        ("layers.normalization", "BatchNormalization"),
        ("layers.pooling", "MaxPooling2D GlobalAveragePooling2D"),
        ("layers.wrappers", "TimeDistributed"),
        ("models", "Sequential Model load_model"),
        ("engine.topology", "Layer Input"),
        ("optimizers.legacy", "SGD Adam RMSprop"),
        ("regularizers", "l1 l2 l1_l2"),
        ("utils.np_utils", "to_categorical"),
        ("utils.vis_utils", "plot_model"),
    ],
)
def test_what_older_programs_import(path, names):
    scope: dict[str, object] = {}
    exec(f"from thalweg.{path} import {', '.join(names.split())}\nimport thalweg.{path} as module", scope)
    assert scope.keys() >= {*names.split(), "module"}


def test_all_names_of_an_older_path():
    scope: dict[str, object] = {}
    exec("from thalweg.layers.core import *", scope)
    assert scope["Dense"] is thalweg.layers.Dense


# The tables of docs/keras.md

OURS = {"registry"}  # of no use to who looks for a layer or a loss
PAGE = ROOT / "docs" / "keras.md"
BEGIN, END = "<!-- the names of Keras, written by pytest --update-golden -->\n", "<!-- end -->\n"


def test_the_tables_of_the_page_for_keras_users_are_current(request):
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    written, after = rest.split(END)
    current = tables()
    if request.config.getoption("--update-golden"):
        PAGE.write_text(before + BEGIN + current + END + after, encoding="utf-8")
        written = current
    assert written == current, "pytest --update-golden tests/test_absent.py writes the tables anew"


def tables() -> str:
    """What works by where it stands in Keras, with what is only in thalweg; what does not, by kind."""
    here, elsewhere = defaultdict(list), defaultdict(list)
    for path in sorted(ANSWERS, key=str.casefold):
        row = ANSWERS[path]
        if is_listed_elsewhere(path):
            continue
        if isinstance(row, Advice):
            elsewhere[row].append(path)
        elif path not in MODULES:
            here[row_of(path)].append(path)
    lines = ["", f"| of {len(NAMES)} names of Keras 3.16 | |", "|---|---:|"]
    lines += [
        f"| work | {len(WORKS)} |",
        f"| raise an error that says what to use instead | {len(NAMES) - len(WORKS)} |",
    ]
    lines += ["", "| what works | of Keras's names | only in thalweg |", "|---|---|---|"]
    alone = beyond()
    for row in sorted(here.keys() | alone.keys()):
        lines.append(f"| {row} | {shown(last(here[row]))} | {shown(last(alone[row]))} |")
    lines += ["", "| what raises an error | names | instead |", "|---|---|---|"]
    lines += [f"| {row.kind} | {by_module(elsewhere[row])} | {row.instead} |" for row in ADVICE if elsewhere[row]]
    return "\n".join([*lines, "", ""])


def is_listed_elsewhere(path: str) -> bool:
    """``ops.numpy.add`` is ``ops.add``."""
    module, _, name = path.rpartition(".")
    return f"{OLDER_PATHS.get(module)}.{name}" in NAMES


def row_of(path: str) -> str:
    """The module; of layers, which are many, also the file that the layer is in."""
    module = path.rpartition(".")[0]
    if module != "layers":
        return module or "at the top"
    home = str(getattr(ANSWERS.get(path) or look_up(path), "__module__", "")).rpartition(".")[2]
    return f"layers: {home}" if home not in ("layer", "registry") else "layers"


def last(paths: Iterable[str]) -> list[str]:
    return [path.rpartition(".")[2] for path in paths]


def shown(names: Iterable[str]) -> str:
    """Of a class that snake_case calls too, ``GlorotUniform``, only the class."""
    names = list(names)
    classes = {name.casefold() for name in names if name != name.casefold()}
    return ", ".join(f"`{name}`" for name in names if name != name.casefold() or bare(name) not in classes)


def bare(name: str) -> str:
    return name.replace("_", "").casefold()


def by_module(paths: Iterable[str]) -> str:
    grouped = defaultdict(list)
    for path in paths:
        grouped[path.rpartition(".")[0]].append(path)
    return "; ".join(
        f"`{module}`: {', '.join(last(members))}" if module else ", ".join(last(members))
        for module, members in grouped.items()
    )


def beyond() -> dict[str, list[str]]:
    """Row -> the public names of thalweg that Keras does not have."""
    found = defaultdict(list)
    modules = [name for name in PUBLIC if name != "errors" and isinstance(getattr(thalweg, name), ModuleType)]
    for module in ["", *modules]:
        for name in absent.public_names(look_up(module) if module else thalweg):
            path = f"{module}.{name}" if module else name
            known = module == "sklearn"  # they are classes, and not to be had without scikit-learn
            if path not in NAMES and name not in OURS and (known or not isinstance(look_up(path), ModuleType)):
                found[row_of(path)].append(path)
    return found


THINGS = {
    "Sequential": lambda k: k.Sequential([k.Input((2,)), k.layers.Dense(1)]),
    "Dense": lambda k: k.Sequential([k.Input((2,)), k.layers.Dense(1)]).layers[-1],
    "Adam": lambda k: k.optimizers.Adam(),
    "AUC": lambda k: k.metrics.AUC(),
    "MeanSquaredError": lambda k: k.losses.MeanSquaredError(),
}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("Sequential", name) for name in ("fit_generator", "predict_classes", "run_eagerly", "get_state_tree")),
        *(("Dense", name) for name in ("quantize", "enable_lora", "stateless_call")),
        *(("Adam", name) for name in ("build", "apply_gradients", "update_step", "add_variable_from_reference")),
        ("AUC", "stateless_update_state"),
    ],
)
def test_an_attribute_that_is_absent_says_what_to_use_instead(kind, name):
    thing = THINGS[kind](thalweg)
    assert not hasattr(thing, name)
    with pytest.raises(AbsentAttributeError, match="to fix") as error:
        getattr(thing, name)
    assert str(error.value).startswith(f"{kind} has no {name}")


def test_what_nobody_has_is_pythons_error():
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'unit'") as error:
        getattr(thalweg.layers.Dense(1), "unit")  # noqa: B009
    assert not isinstance(error.value, AbsentAttributeError)


@pytest.mark.needs("keras")
@pytest.mark.parametrize("kind", THINGS)
def test_attributes_of_kerass_objects_work_or_say_what_to_use_instead(kind, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras

    one, other = THINGS[kind](thalweg), THINGS[kind](keras)
    if kind == "Sequential":
        one.compile("adam", "mse")
        other.compile("adam", "mse")
    silent = []
    for name in dir(other):
        if not name.startswith("_"):
            try:
                getattr(one, name)
            except ThalwegError:  # not there yet, or not at all: in four parts
                continue
            except AttributeError:
                silent.append(name)
    assert silent == []
