"""The settings of the process."""

import pytest

from thalweg import config
from thalweg.errors import ArgumentError
from thalweg.layers import Dense, Input


@pytest.fixture(autouse=True)
def restored():
    before = vars(config._settings).copy()
    yield
    vars(config._settings).update(before)


def test_root_seed_repeats_the_models_of_a_program():
    runs = []
    for _ in range(2):
        config.set_random_seed(7)
        runs.append([config.new_seed() for _ in range(3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3
    config.set_random_seed(8)
    assert config.new_seed() not in runs[0]


def test_without_a_root_seed_models_differ():
    config._settings.root_seed = None
    seeds = {config.new_seed() for _ in range(4)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "x", None])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match="seed"):
        config.set_random_seed(seed)


def test_floatx():
    assert config.floatx() == "float32"
    config.set_floatx("float64")
    assert Dense(2)(Input((3,))).dtype == "float64"
    with pytest.raises(ArgumentError, match="did you mean 'float64'"):
        config.set_floatx("float6")


def test_the_executor_is_what_was_set_then_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("THALWEG_EXECUTOR", raising=False)
    assert config.executor() is None
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    assert config.executor() == "numpy"
    config.set_executor("xla:gpu")
    assert config.executor() == "xla:gpu"
    config.set_executor(None)
    assert config.executor() == "numpy"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("xlaa", "did you mean 'xla'"),
        ("gpu", "known names: 'native', 'numpy', 'xla'"),
        ("native:gpu", "write 'native', or 'xla:gpu'"),
        ("xla:", "write 'xla', or 'xla:gpu'"),
        ("", "known names"),
        (7, "set_executor"),
    ],
)
def test_an_executor_that_there_is_not(name, said):
    with pytest.raises(ArgumentError, match=said):
        config.set_executor(name)
    assert config._settings.executor is None


def test_epsilon():
    assert config.epsilon() == 1e-7
    config.set_epsilon(1e-5)
    assert config.epsilon() == 1e-5
    with pytest.raises(ArgumentError, match="set_epsilon"):
        config.set_epsilon(0)


def test_the_format_of_images_is_that_of_each_layer():
    config.set_image_data_format("channels_last")
    assert config.image_data_format() == "channels_last"
    with pytest.raises(ArgumentError, match="set_image_data_format"):
        config.set_image_data_format("channels_first")


def test_what_programs_call_at_their_beginning():
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    assert config.backend() == "thalweg"
