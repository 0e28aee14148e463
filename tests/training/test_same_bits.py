"""The same seed gives the same bits: on one thread and on several, compiled anew or loaded, in one fit or in parts.

Here with real steps, large enough that the native executor does use its threads; test_fit.py has the small nets.
"""

import pytest
from tests import nets

import thalweg
from thalweg.executors.native import executor as native
from thalweg.executors.native.run import cache
from thalweg.layers import Dense, Dropout, Flatten, Input, Rescaling

ROWS = 1000  # seven batches of 128, and one of 104


@pytest.fixture(autouse=True)
def native_is_the_default(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "native")


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = thalweg.datasets.mnist.load_data()
    return x[:ROWS], y[:ROWS]


def trained(digits, optimizer, threads, *epochs):
    """A net after fit was called up to each number of ``epochs``, one after the other."""
    thalweg.utils.set_random_seed(3)
    hidden = [Dense(512, activation="relu"), Dropout(0.2)]
    model = thalweg.Sequential([Input((28, 28), dtype="uint8"), Rescaling(1 / 255), Flatten(), *hidden, Dense(10)])
    loss = thalweg.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    x, y = digits
    for first, last in zip((0, *epochs), epochs, strict=False):
        model.fit(x, y, batch_size=128, initial_epoch=first, epochs=last, threads=threads, verbose=0)
    return model


SCHEDULED = thalweg.optimizers.Adam(thalweg.optimizers.schedules.CosineDecay(0.01, 40), gradient_accumulation_steps=3)


@pytest.mark.parametrize(
    "optimizer", ["adam", "rmsprop", "sgd", "lamb", "muon", "nadam", SCHEDULED], ids=lambda o: str(o)[:7]
)
def test_threads_and_parts_do_not_change_a_bit(optimizer, digits, teams):
    one = trained(digits, optimizer, 1, 5)
    assert teams == set()
    for other in (
        trained(digits, optimizer, 2, 5),
        trained(digits, optimizer, 2, 2, 5),
        trained(digits, optimizer, 3, 5),
    ):
        assert nets.same_bits(one, other)
    assert teams == {2, 3}


def trained_images(digits, threads, *epochs):
    """A convolutional network with dropout after each number of ``epochs``."""
    thalweg.utils.set_random_seed(3)
    model = thalweg.models.small_cnn((28, 28), dtype="uint8")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = (array[:300] for array in digits)  # two batches of 128, and one of 44
    for first, last in zip((0, *epochs), epochs, strict=False):
        model.fit(x, y, batch_size=128, initial_epoch=first, epochs=last, threads=threads, verbose=0)
    return model


def test_images_have_the_same_bits(digits, teams):
    one = trained_images(digits, 1, 2)
    assert teams == set()
    for other in (trained_images(digits, 2, 2), trained_images(digits, 2, 1, 2), trained_images(digits, 3, 2)):
        assert nets.same_bits(one, other)
        assert one.history.history["loss"][-1] == other.history.history["loss"][-1]
    assert teams == {2, 3}


def test_predictions_and_evaluations_have_the_same_bits(digits, teams, monkeypatch):
    """Each thread does whole pieces; 1000 rows are seven, and one that is filled up."""
    model = trained(digits, "adam", 1, 1)
    x, y = digits
    seen = []
    for threads in (1, 2, 3, 8):
        monkeypatch.setenv("THALWEG_THREADS", str(threads))
        seen.append((model.predict(x, verbose=0).tobytes(), model.evaluate(x, y, verbose=0)))
    assert seen == [seen[0]] * 4
    assert teams == {2, 3, 8}


def test_sums_added_up_afterwards_have_the_bits_of_those_that_steps_add_up(digits, monkeypatch):
    x, y = digits
    found = []
    for most in (1 << 16, 0):
        monkeypatch.setattr("thalweg.training.step.ADDED_BYTES", most)
        model = trained(digits, "adam", 1, 1)
        assert ("update evaluation" in model.explain(what="evaluate")) is (most == 0)
        found.append([model.evaluate(x, y, verbose=0), model.evaluate(x[:77], y[:77], verbose=0)])
    assert found[0] == found[1]


def test_a_cold_and_a_warm_cache_do_not_change_a_bit(digits, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path))
    cold = trained(digits, "adam", 2, 2)
    monkeypatch.setattr(native, "_compiled", None)  # all comes from the cache, or this fails
    warm = trained(digits, "adam", 2, 2)
    assert nets.same_bits(cold, warm)
    assert cold.history.history == warm.history.history
