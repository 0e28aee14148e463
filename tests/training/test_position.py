"""Where training stands is a part of the state: it goes on in the middle of an epoch, and of the data."""

import copy

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import layers, optimizers
from thalweg.callbacks import Callback
from thalweg.data.source import Place, shuffled
from thalweg.state import State
from thalweg.state.names import SEED_STATE
from thalweg.training.position import ROW_STATE, STEP_IN_EPOCH_STATE, TYPES, Position

X, Y = nets.points(90)


class CopyAt(Callback):
    """Keeps a copy of the model as it is after some batch of some epoch."""

    def __init__(self, epoch, batch, path=None):
        self.at = (epoch, batch)
        self.path = path
        self.copy = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            self.copy = copy.deepcopy(self.model)
            if self.path is not None:
                self.model.save(self.path)


@pytest.mark.parametrize("at", [(0, 0), (1, 2), (1, 4), (2, 3)])
def test_training_goes_on_in_the_middle_of_an_epoch(at, tmp_path):
    """To the same bits, and with the same means over the whole epoch; batches of 16 leave one of 10."""
    optimizer = optimizers.Adam(gradient_accumulation_steps=4)
    whole = nets.classifier(optimizer=optimizer, dropout=0.3)
    epoch, batch = at
    keep = CopyAt(epoch, batch, tmp_path / "m")
    options = {"batch_size": 16, "epochs": 4, "verbose": 0, "validation_split": 0.2}
    history = whole.fit(X, Y, callbacks=[keep], **options).history
    for model in (keep.copy, thalweg.load_model(tmp_path / "m")):
        again = model.fit(X, Y, initial_epoch=epoch, **options).history
        assert nets.same_bits(whole, model)
        assert again == {name: values[epoch:] for name, values in history.items()}


def test_a_file_from_the_end_of_an_epoch_knows_where_the_next_part_of_the_data_begins(tmp_path):
    options = {"batch_size": 16, "steps_per_epoch": 2, "verbose": 0}
    whole = nets.classifier()
    saved = thalweg.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}"))
    whole.fit(X, Y, epochs=5, callbacks=[saved], **options)
    for epoch in (1, 2, 3, 4):
        model = thalweg.load_model(tmp_path / str(epoch))
        model.fit(X, Y, epochs=5, initial_epoch=epoch, **options)
        assert nets.same_bits(whole, model), epoch


def one_weight_a_row(rows):
    """Every visit of a row halves the distance of its weight from 1."""
    start = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = thalweg.Sequential([thalweg.Input((rows,)), start])
    model.compile(optimizers.SGD(0.25), "mse")
    return model


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_of_fewer_steps_goes_on_where_the_one_before_ended(shuffle):
    model = one_weight_a_row(8)
    model.fit(np.eye(8), np.ones(8), 1, 4, 0, steps_per_epoch=4, shuffle=shuffle)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], 0.75)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_pass_ends_with_a_shorter_epoch(shuffle):
    """3, 3 and 2 of 8 rows; then a new pass."""
    model = one_weight_a_row(8)
    model.fit(np.eye(8), np.ones(8), 1, 3, 0, steps_per_epoch=3, shuffle=shuffle)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], 0.5)
    model.fit(np.eye(8), np.ones(8), 1, 4, 0, steps_per_epoch=3, shuffle=shuffle)
    assert sorted(model.get_weights()[0][:, 0]) == [0.75] * 5 + [0.875] * 3


def test_fit_begins_with_the_first_row_whatever_ran_before():
    model = one_weight_a_row(8)
    for _ in range(2):
        model.fit(np.eye(8), np.ones(8), 1, 1, 0, steps_per_epoch=3, shuffle=False)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [0.75] * 3 + [0.0] * 5)


def test_a_place_in_other_data_means_nothing():
    keep = CopyAt(0, 2)
    nets.classifier().fit(X, Y, batch_size=16, verbose=0, callbacks=[keep])
    model = keep.copy
    seen = []
    counter = thalweg.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(X[:64], Y[:64], batch_size=16, verbose=0, callbacks=[counter])
    assert seen == [0, 1, 2, 3]


class TestPosition:
    def make(self, rows=10, shuffle=True, **numbers):
        state = State()
        state.add(SEED_STATE, TYPES[ROW_STATE], 5)
        for name, number in numbers.items():
            state.add(f"position/{name}", TYPES[f"position/{name}"], number)
        return Position(state, rows, shuffle)

    def test_begins_at_the_beginning(self):
        position = self.make()
        assert (position.row, position.step) == (0, 0)

    def test_orders_follow_from_seed_and_pass(self):
        position = self.make(epoch=3)
        np.testing.assert_array_equal(position.turn().order(10), shuffled(10, 5, 3))
        assert self.make(shuffle=False).turn().order(10) is None

    def test_an_epoch_ends_in_the_middle_of_a_pass_or_with_it(self):
        position = self.make()
        position.advance(2, 6)
        position.end_epoch()
        assert (position.place, position.step, position.turn().number) == (Place(6, 2), 0, 0)
        position.advance(2, 4)
        position.end_pass()
        assert (position.place, position.step, position.turn().number) == (Place(), 0, 1)
        assert position.turn().since == 1

    @pytest.mark.parametrize("wrong", [{"rows": 9}, {"rows": 10, "row": 11}, {"rows": 10, "row": -1}])
    def test_what_cannot_be_is_the_beginning(self, wrong):
        position = self.make(**{"row": 4, "step": 2, **wrong})
        assert (position.row, position.step) == (0, 0)
        assert position.state.number(STEP_IN_EPOCH_STATE) == 0
