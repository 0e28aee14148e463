"""What is said of finished predictions and of models: in print, as JSON, as a page."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from tests import nets

from thalweg.errors import ArgumentError, DataError, MissingPackageError, NameNotFoundError, ShapeError
from thalweg.evaluation import Conformal, judge, judge_predictions
from thalweg.evaluation.answers import answers
from thalweg.evaluation.bootstrap import drawn, share_limits
from thalweg.evaluation.scores import of_classes, of_numbers, scores


def chances(rows=200, classes=3, seed=0):
    """Targets, and probabilities that know something of them."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, rows)
    logits = random.normal(size=(rows, classes)) + 1.5 * (np.arange(classes) == y[:, None])
    p = np.exp(logits)
    return y, p / p.sum(1, keepdims=True)


def numbers(rows=200, seed=0):
    random = np.random.default_rng(seed)
    y = random.normal(10, 3, rows)
    return y, y + random.normal(0, 1, rows)


class TestScores:
    @pytest.mark.needs("sklearn")
    @pytest.mark.parametrize("classes", [2, 3])
    def test_as_in_scikit_learn(self, classes):
        from sklearn import metrics

        y, p = chances(classes=classes)
        p = np.round(p, 2)
        p[:, 0] += 1 - p.sum(1)
        said, own = p.argmax(1), np.eye(classes)[y]
        found = scores(answers(y, p))
        areas = (y, p[:, 1]) if classes == 2 else (own, p)
        wanted = {
            "accuracy": metrics.accuracy_score(y, said),
            "balanced accuracy": metrics.balanced_accuracy_score(y, said),
            "macro F1": metrics.f1_score(y, said, average="macro"),
            "ROC AUC": metrics.roc_auc_score(*areas),
            "average precision": metrics.average_precision_score(*areas),
            "log loss": metrics.log_loss(y, np.maximum(p, 1e-7) / np.maximum(p, 1e-7).sum(1, keepdims=True)),
            "Brier score": np.mean(((p - own) ** 2).sum(1)) / (2 if classes == 2 else 1),
        }
        assert {name: score.value for name, score in found.items()} == pytest.approx(wanted, rel=1e-5)
        assert all(score.low < score.value < score.high for score in found.values())

    @pytest.mark.needs("sklearn")
    def test_of_numbers_as_in_scikit_learn(self):
        from sklearn import metrics

        y, said = numbers()
        both = np.stack([y, 1e6 - y], 1), np.stack([said, 1e6 - said + 1], 1)
        found = {name: score.value for name, score in scores(answers(*both, targets=["a", "b"])).items()}
        assert found["RMSE of b"] == pytest.approx(metrics.root_mean_squared_error(both[0][:, 1], both[1][:, 1]))
        assert found["MAE of a"] == pytest.approx(metrics.mean_absolute_error(y, said))
        assert found["R2 of b"] == pytest.approx(metrics.r2_score(both[0][:, 1], both[1][:, 1]))
        assert found["mean R2"] == pytest.approx(metrics.r2_score(*both))

    def test_the_intervals_hold_the_score_of_all_rows(self, monkeypatch):
        """Of 40 samples of 150 rows 38 intervals should hold the score of 20,000; 33 is 3.6 deviations below."""
        monkeypatch.setattr("thalweg.evaluation.bootstrap.MOST_DRAWS", 200)
        for truth, answer, name in ((*numbers(20_000), "RMSE"), (*chances(20_000, 2), "ROC AUC")):
            known = answers(truth, answer)
            names, statistics = of_classes(known) if known.classes else of_numbers(known)
            whole = statistics(np.ones(20_000))[names.index(name)]
            parts = [scores(known.take(np.arange(i, i + 150)))[name] for i in range(0, 6000, 150)]
            assert sum(part.low <= whole <= part.high for part in parts) >= 33

    def test_groups_make_intervals_wider(self):
        random = np.random.default_rng(0)
        group = np.arange(300) // 10
        y = random.normal(size=300)
        said = y + random.normal(size=30)[group]  # rows of one group are wrong in the same way
        alone, together = (scores(answers(y, said), groups=given)["RMSE"] for given in (None, group))
        assert together.high - together.low > 2 * (alone.high - alone.low)
        weight = next(drawn(300, 1, 0, group))
        assert all(len(set(weight[group == number])) == 1 for number in range(30))

    def test_all_right_is_no_proof(self):
        found = scores(answers([0, 1] * 10, np.eye(2)[[0, 1] * 10]))
        assert found["accuracy"].value == 1
        assert found["accuracy"].low == pytest.approx(1 / (1 + 1.959964**2 / 20))  # Wilson's formula for all of 20
        assert np.isnan(found["macro F1"].low)
        assert share_limits(0.0, 20)[0] == 0

    def test_same_seed_same_bits(self):
        found = scores(answers(*chances()), seed=1)
        assert scores(answers(*chances()), seed=1) == found != scores(answers(*chances()), seed=2)


class TestAnswers:
    def test_what_is_meant(self):
        y, p = chances()
        assert answers(y, p).classes == ("0", "1", "2")
        assert answers(np.array(["a", "b", "c"])[y], p).classes == ("a", "b", "c")
        assert answers(np.eye(3)[y], p).truth.tolist() == y.tolist()
        assert answers(y, p, classes=["x", "y", "z"]).truth.tolist() == y.tolist()
        assert answers(np.array([7, 5, 3])[y], p, classes=[7, 5, 3]).truth.tolist() == y.tolist()
        assert answers([0, 1, 1], [0.2, 0.7, 0.9]).said.tolist()[0] == [0.8, 0.2]
        assert answers([0.5, 2.0], [1.0, 2.0]).classes == ()
        assert answers([0, 1, 0], [0.2, 0.7, 0.9], classes=()).targets == ("target",)

    @pytest.mark.parametrize(
        ("error", "y", "said", "options"),
        [
            (ShapeError, [0, 1], [[0.5, 0.5]], {}),
            (ShapeError, [], [], {}),
            (ShapeError, [[1.0, 2.0]], [[1.0]], {}),
            (DataError, [0, 1], [np.nan, 0.2], {}),
            (DataError, [0.5, np.nan], [1.0, 2.0], {}),
            (DataError, ["a", "d"], [[0.5, 0.5], [0.5, 0.5]], {"classes": ["a", "b"]}),
            (DataError, [0, 1], [[3.0, -3.0], [1.0, 2.0]], {"classes": ["a", "b"]}),
            (DataError, ["a", "b"], [3.0, 4.0], {"classes": ()}),
            (ArgumentError, [0, 1], [[0.5, 0.5], [0.5, 0.5]], {"classes": ["a", "b", "c"]}),
            (ArgumentError, [0.5, 1.5], [1.0, 2.0], {"targets": ["a", "b"]}),
        ],
    )
    def test_what_cannot_be(self, error, y, said, options):
        with pytest.raises(error) as caught:
            judge_predictions(y, said, **options)
        assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


class TestPrinted:
    def test_classes(self):
        y, p = chances()
        columns = {"size": np.arange(200.0), "kind": np.array(["a", "b"], object)[y % 2]}
        found = judge_predictions(y, p, classes=["red", "green", "blue"], columns=columns, by="kind", name="lamps")
        text = str(found)
        assert max(map(len, text.splitlines())) <= 80
        headings = [line for line in text.splitlines() if line in {own.heading.upper() for own in found.sections}]
        assert headings == [
            *("SCORES", "CLASS BY CLASS", "CONFUSION MATRIX", "ALL THRESHOLDS"),
            *("CALIBRATION", "GROUP BY GROUP", "WORST MISTAKES"),
        ]
        worst = found.section("worst")
        wrong = np.flatnonzero(p.argmax(1) != y)
        assert worst.rows[0] == wrong[np.argmin(p[wrong, y[wrong]])]
        assert worst.values[0][0] == float(worst.rows[0])
        groups = found.section("groups")
        assert dict(zip(groups.groups, groups.counts, strict=True)) == {"a": (y % 2 == 0).sum(), "b": (y % 2).sum()}
        assert groups.scores[0]["accuracy"].value == pytest.approx(
            np.mean((p.argmax(1) == y)[columns["kind"] == groups.groups[0]])
        )

    def test_numbers(self):
        y, said = numbers()
        found = judge_predictions(y, said, targets="price", rows=np.arange(200) + 1000)
        text = str(found)
        assert max(map(len, text.splitlines())) <= 80
        assert "price: prediction minus target" in text
        assert found.section("worst").rows[0] == 1000 + np.argmax(np.abs(said - y))
        residuals = found.section("residuals")
        assert residuals.quantiles.tolist() == np.quantile(said - y, residuals.levels).tolist()
        intervals = found.section("intervals")
        assert np.abs(intervals.measured[:, 0] - intervals.coverages).max() < 0.08
        with pytest.raises(NameNotFoundError):
            found.section("confusion")

    def test_intervals_are_not_measured_on_the_rows_that_they_come_from(self):
        y, said = numbers(100)
        alone = judge_predictions(y, said).section("intervals")
        own = judge_predictions(y, said, conformal=Conformal.of(y, said)).section("intervals")
        assert own.measured.tolist() == alone.measured.tolist()
        other = Conformal.of(*numbers(200, seed=1))
        known = judge_predictions(y, said, conformal=other).section("intervals")
        inside = [(np.abs(said - y) <= other.half_width(c)).mean() for c in known.coverages]
        assert known.measured[:, 0].tolist() == inside
        assert "200 held-out rows" in known.promise

    def test_fewer_rows_than_intervals_need_and_a_single_row(self):
        assert "INTERVALS" not in str(judge_predictions(*numbers(30)))
        lonely = judge_predictions([1.0], [2.0])
        assert lonely.scores["RMSE"] == lonely.scores["RMSE"]
        assert lonely.scores["RMSE"].interval == ""
        json.dumps(lonely.to_dict(), allow_nan=False)
        # One class alone has no curve, and says so by not being there.
        assert "ALL THRESHOLDS" not in str(judge_predictions([1, 1, 1], [0.3, 0.6, 0.8]))

    def test_many_classes_are_named_by_their_confusions(self):
        y, p = chances(600, classes=40)
        found = judge_predictions(y, p)
        matrix = found.section("confusion").matrix
        wrong = matrix - np.diag(np.diag(matrix))
        first = found.section("confusion").table().rows[0]
        assert int(first[2]) == wrong.max() == wrong[int(first[0]), int(first[1])]
        assert max(map(len, str(found).splitlines())) <= 80

    def test_perfect_probabilities_and_overconfident_ones(self):
        random = np.random.default_rng(0)
        chance = random.random(2000)
        y = (random.random(2000) < chance).astype(int)
        fair = judge_predictions(y, chance).section("calibration")
        assert fair.error < 1.6 * fair.chance
        bold = judge_predictions(y, np.where(chance > 0.5, 0.99, 0.01)).section("calibration")
        assert bold.error > 10 * bold.chance

    def test_error_that_goes_with_the_prediction_is_said(self):
        random = np.random.default_rng(0)
        y = random.uniform(1, 100, 500)
        said = y * (1 + 0.2 * random.normal(size=500))
        assert any(
            "goes with the prediction" in line for line in judge_predictions(y, said).section("residuals").sentences()
        )

    def test_json(self):
        y, p = chances()
        found = judge_predictions(y, p, columns={"day": np.full(200, np.datetime64("2024-01-01"))}).to_dict()
        again = json.loads(json.dumps(found, allow_nan=False))
        assert again["scores"]["scores"]["accuracy"]["value"] == np.mean(p.argmax(1) == y)
        assert again["confusion"]["matrix"] == found["confusion"]["matrix"]
        assert again["report"]["classes"][0]["class"] == "0"


class TestModels:
    def test_a_network_of_thalweg(self):
        x, y = nets.points(150)
        model = nets.classifier()
        model.fit(x, y, epochs=3, verbose=0)
        found = judge(model, x, y, names=["a", "b", "c", "d"], dependence=2)
        said = model.predict(x, verbose=0)
        assert found.scores["accuracy"].value == np.mean(said.argmax(1) == y)
        assert len(found.section("dependence").curves) == 2
        assert found.section("worst").columns == found.section("importance").columns
        assert max(map(len, str(found).splitlines())) <= 80
        assert "importance" not in judge(model, x, y, importance=False).to_dict()

    def test_rows_of_other_shapes_have_no_columns(self):
        y, p = chances(20)
        found = judge(lambda x: p, np.zeros((20, 2, 2)), y)
        assert "importance" not in found.to_dict()

    def test_several_targets(self):
        x = np.random.default_rng(0).normal(size=(120, 3))
        found = judge(lambda x: x[:, :2] * [1, 100], x, np.stack([x[:, 0] + 0.1, 100 * x[:, 2]], 1), targets=["a", "b"])
        assert found.section("importance").score == "1 - R2"
        assert len(found.to_dict()["residuals"]) == 2
        assert max(map(len, str(found).splitlines())) <= 80

    def test_what_cannot_be(self):
        with pytest.raises(NameNotFoundError, match="no such column"):
            judge_predictions(*chances(), columns={"size": np.arange(200)}, by="sizes")


class Page(HTMLParser):
    """What a page consists of; whether each element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.links, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src", "xlink:href")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.needs("matplotlib")
class TestPage:
    def test_it_is_whole_and_asks_nothing_of_the_net(self, tmp_path):
        x, y = nets.points(60)
        strange = "<script>alert(1)</script> & $x$ \u0663"
        _, p = chances(60)
        found = judge(
            lambda x: np.resize(p, (len(x), 3)),
            x,
            y,
            names=[strange, "$", "c", "d"],
            classes=[strange, "b", "c"],
            name=strange,
            by="d",
        )
        found.write(tmp_path / "report.html")
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        page = Page(text)
        assert page.open == []
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        assert all(link.startswith(("#", "data:")) for link in page.links)
        assert not re.search(r"url\((?!#)", text)
        assert page.tags.count("svg") == 10
        assert strange in "".join(page.text)
        # Colours follow the page; nothing of what matplotlib drew with is left.
        assert "#0102" not in text
        assert "var(--c0)" in text

    def test_the_same_bytes_again(self):
        found = judge_predictions(*numbers(80))
        assert found.html() == found.html()

    def test_without_matplotlib(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(MissingPackageError):
            judge_predictions(*numbers(80)).html()


def test_drawn_on_a_terminal():
    from rich.console import Console

    console = Console(width=80, no_color=True, force_terminal=True)
    with console.capture() as captured:
        console.print(judge_predictions(*numbers(80), name="[/red] judgement", targets="[/b]"))
    text = captured.get()
    assert not re.search(r"\x1b\[(\d+;)*(3[0-8]|4[0-8]|9[0-7])[;m]", text)
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in text.splitlines()) <= 80
    assert "RMSE" in text
    assert "[/red] judgement" in text
    assert "[/b]: prediction minus target" in text
