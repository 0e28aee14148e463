"""Files under the names of other programs, and files of other programs."""

import zipfile

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.callbacks import ModelCheckpoint
from thalweg.errors import FileFormatError
from thalweg.training.checkpoint import FileNotice

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def network():
    model = thalweg.Sequential([layers.Input((3,)), layers.Dense(2, name="dense")])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_other_programs_endings_are_read_and_written_with_a_notice(tmp_path, name):
    model = network()
    with pytest.warns(FileNotice, match="thalweg's own format") as told:
        model.save(tmp_path / name)
    assert told[0].filename == __file__
    again = thalweg.models.load_model(tmp_path / name)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.warns(FileNotice):
        model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")


def test_a_checkpoint_of_each_epoch_says_it_once(tmp_path):
    with pytest.warns(FileNotice) as told:
        network().fit(X, X[:, :2], epochs=3, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "best.keras", "loss")])
    assert len({str(warning.message) for warning in told}) == 1


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def hdf5(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def saved_model(path):
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"")


@pytest.mark.parametrize(("make", "says"), [(zipped, "zip"), (hdf5, "HDF5"), (saved_model, "TensorFlow")])
def test_files_of_other_programs_are_called_by_their_names(tmp_path, make, says):
    path = tmp_path / "model.keras"
    make(path)
    for load in (thalweg.models.load_model, network().load_weights):
        with pytest.raises(FileFormatError, match="of another program") as caught:
            load(path)
        assert says in caught.value.got
        assert "set_weights" in caught.value.fix


@pytest.mark.needs("keras")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras with this NumPy
def test_a_model_that_keras_has_saved(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(FileFormatError, match="of another program"):
        thalweg.models.load_model(tmp_path / "model.keras")
    np.savez(tmp_path / "w.npz", *model.get_weights())
    ours = network()
    ours.set_weights(list(np.load(tmp_path / "w.npz").values()))
    np.testing.assert_allclose(ours.predict(X, verbose=0), np.asarray(model(X)), rtol=1e-5, atol=1e-6)
