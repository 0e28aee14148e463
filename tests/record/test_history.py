from thalweg.record.history import History


def test_epochs_are_appended_to_lists_by_name():
    history = History()
    history.append(0, {"loss": 2.0})
    history.append(1, {"loss": 1.0, "val_loss": 1.5})
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [1.5]}
    assert history.epoch == [0, 1]
    assert history.stopped_by is None
