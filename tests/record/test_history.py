import numpy as np

from thalweg.record.history import History


def test_epochs_are_appended_to_lists_by_name():
    history = History()
    history.append(0, {"loss": 2.0})
    history.append(1, {"loss": 1.0, "val_loss": 1.5})
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [1.5]}
    assert history.epoch == [0, 1]
    assert history.stopped_by is None


def test_what_a_notebook_shows_is_short():
    history = History()
    for epoch in range(200):
        history.append(epoch, {"loss": 1 / (epoch + 1), "accuracy": 0.5, "val_auc": np.ones(3)})
    assert repr(history) == "<History: 200 epochs; loss 1 -> 0.005; accuracy 0.5 -> 0.5; val_auc (3,)>"
    assert repr(History(history={"loss": [0.25]}, epoch=[0], stopped_by="user")) == (
        "<History: 1 epoch, stopped by user; loss 0.25>"
    )
