"""Other libraries' data sets, by what they are called and do; the libraries themselves where they are installed."""

import numpy as np
import pytest
from tests import nets

from thalweg import errors

X, Y = nets.points(90)
OPTIONS = {"batch_size": 16, "epochs": 2, "verbose": 0, "shuffle": False}


def trained(*data, **options):
    model = nets.classifier(dropout=0.2)
    model.fit(*data, **OPTIONS | options)
    return model


@pytest.mark.needs("torch")
class TestTorch:
    def data(self):
        import torch

        return torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))

    def loader(self, **options):
        import torch

        return torch.utils.data.DataLoader(self.data(), batch_size=16, **options)

    def test_a_dataset_and_a_loader_train_as_arrays_do(self):
        whole = trained(X, Y)
        assert nets.same_bits(whole, trained(self.data()))
        assert nets.same_bits(whole, trained(self.loader()))

    def test_the_order_of_a_loader_is_of_the_seed_of_fit(self):
        import torch

        one = trained(self.loader(shuffle=True), seed=3)
        before = torch.get_rng_state()
        torch.rand(5)
        assert nets.same_bits(one, trained(self.loader(shuffle=True), seed=3))
        torch.set_rng_state(before)
        trained(self.loader(shuffle=True), seed=3)
        assert torch.equal(before, torch.get_rng_state())
        assert not nets.same_bits(one, trained(self.loader(shuffle=True), seed=4))


@pytest.mark.needs("datasets")
class TestHuggingFace:
    def data(self):
        import datasets

        return datasets.Dataset.from_dict({"x": X.tolist(), "label": Y.tolist()})

    def test_trains_as_arrays_do(self):
        whole = trained(X, Y)
        assert nets.same_bits(whole, trained(self.data(), "label"))
        assert nets.same_bits(whole, trained(self.data().to_iterable_dataset(), "label"))

    def test_a_column_that_is_not_there(self):
        with pytest.raises(errors.ArgumentError, match="'labels'") as caught:
            trained(self.data(), "labels")
        assert "'label'" in caught.value.fix


class Rows:
    """What PyTorch's Dataset is, as far as it matters."""

    __module__ = "torch.like"

    def __len__(self):
        return 4

    def __getitem__(self, row):
        return np.ones(3 + row), row


def test_rows_that_are_not_alike():
    from thalweg.data.streams.foreign import numbered

    with pytest.raises(errors.ShapeError, match="not alike"):
        numbered(Rows()).first()
