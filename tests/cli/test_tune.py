"""``thalweg tune``: a search from the shell."""

import json

import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import app as cli

pytestmark = pytest.mark.needs("optuna")


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def houses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["size,town,price", *(f"{30 + i},{'Ulm' if i % 3 else 'Bonn'},{3 * i + 50 * (i % 3)}" for i in range(60))]
    (tmp_path / "houses.csv").write_text("\n".join(lines))
    return tmp_path


def test_it_searches_trains_judges_and_goes_on_from_its_storage(houses):
    words = (
        "tune",
        "houses.csv",
        "--target",
        "price",
        "--epochs",
        2,
        "--members",
        1,
        "--storage",
        "kept.log",
        "--json",
    )
    first = call(*words, "--trials", 1)
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert len(told["search"]["trials"]) == 1
    assert thalweg.load_model(houses / "houses.thalweg").schema.targets == ("price",)
    assert call(*words, "--trials", 1, "--pruner", "none").exit_code == 0
    assert len(json.loads(call(*words, "--trials", 2).stdout)["search"]["trials"]) == 2


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--target", "prise"), 2),
        (("--target", "price", "--sampler", "dice"), 2),
        (("--target", "price", "--storage", "place"), 2),
        (("--target", "price", "--storage", "no/where.db"), 1),
        (("--target", "price", "--time-limit", "soon"), 2),
        (("--target", "price", "--output", "no/where.thalweg"), 1),
    ],
)
def test_bad_input_ends_with_its_status(houses, words, status):
    ended = call("tune", "houses.csv", *words, "--trials", 1, "--epochs", 1)
    assert ended.exit_code == status
    assert "to fix" in ended.output
