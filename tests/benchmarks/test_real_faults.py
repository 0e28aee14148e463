"""The programs that did not learn: they are built as their askers did, and counted as the table counts."""

import numpy as np
import pytest
from benchmarks.real_faults import cures, data
from benchmarks.real_faults.__main__ import KINDS, Answer, counts
from benchmarks.real_faults.programs import FAULTS, Fault
from benchmarks.real_faults.repairs import REPAIRS

import thalweg
from thalweg.doctor.finding import LABELS
from thalweg.errors import ThalwegError


def said(kinds, *labels):
    return Answer(Fault(1, "1", kinds, FAULTS[0].program), labels, (), "", 1.0)


def test_every_label_has_a_kind():
    assert {*KINDS} == {*LABELS}
    assert len({fault.number for fault in FAULTS}) == len(FAULTS)


def test_a_program_is_diagnosed_if_one_fault_of_it_is_named():
    assert said(("lr", "epoch"), "undertrained").diagnosed
    assert not said(("lr",), "undertrained").diagnosed
    assert said(("lr",), "undertrained").detected
    assert not said(("lr",)).detected
    assert said(()).diagnosed
    assert not said((), "plateau").detected
    assert "| 1 (50%) | 1 (50%) |" in counts([said(("lr",), "lr_too_low"), said(("act",))])


@pytest.mark.parametrize("number", [3, 20])
def test_programs_compile_and_say_what_they_are_given(number):
    model, given = next(fault.program for fault in FAULTS if fault.number == number)()
    assert isinstance(model, thalweg.Model)
    assert len(given["x"]) == len(given["y"])


def test_a_program_may_be_refused():
    model, given = next(fault.program for fault in FAULTS if fault.number == 10)()
    with pytest.raises(ThalwegError, match="softmax"):
        model.fit(**given, verbose=0)


def test_made_up_tables_have_the_scales_of_the_real_ones():
    assert data.packets()[0].max() > 3e9
    assert data.census(50)[0][:, 2].mean() > 1e5
    fields, following = data.life(3)
    assert fields.shape[1] == following.shape[1] + 2


def test_every_program_that_is_wrong_has_a_repair():
    assert {*REPAIRS} == {fault.number for fault in FAULTS if fault.kinds}


def came_to(sick, treated, repaired):
    return cures.Cure(FAULTS[0], sick, treated, repaired, (), "", 1.0)


def test_cured_is_as_good_as_the_repair_and_no_worse_than_it_came():
    assert came_to(0.5, 0.88, 0.9).cured
    assert not came_to(0.5, 0.8, 0.9).cured
    assert not came_to(0.95, 0.9, 0.9).cured, "the repair makes it worse, too"
    assert came_to(0.5, 0.8, 0.9).curable
    assert not came_to(0.9, 0.9, 0.9).curable


class Says:
    def __init__(self, *predicted):
        self.predicted = np.array(predicted, float)

    def predict(self, x, verbose):
        return self.predicted


def test_the_score_goes_by_the_targets():
    x = np.zeros((2, 1))
    assert cures.score(Says([0.2, 0.8], [0.9, 0.1]), x, np.array([1, 1])) == 0.5
    assert cures.score(Says([0.8], [1.2]), x, np.array([1, 2])) == 0.5
    assert cures.score(Says([0, 1, 0], [0.2, 0.3, 0.5]), x, np.eye(3)[[1, 2]]) == 1
    assert cures.score(Says([1, 1, 0], [0, 0, 0]), x, np.array([[1.0, 0, 0], [0, 0, 0]])) == 5 / 6
    assert cures.score(Says([2.0], [2.0]), x, np.array([[1.0], [3.0]])) == 0
    assert cures.score(Says([np.nan], [2.0]), x, np.array([[1.0], [3.0]])) < -99


def test_of_many_rows_every_fifth_is_kept_to_judge_by():
    train, judged = cures.parts({"x": np.zeros(cures.FEW)})
    assert {*train} | {*judged} == {*range(cures.FEW)}
    assert not {*train} & {*judged}
    few, all_of_them = cures.parts({"x": np.zeros(4)})
    assert few.tolist() == all_of_them.tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_head_that_does_not_fit_is_cured():
    cured = cures.cure(next(fault for fault in FAULTS if fault.number == 5))
    assert cured.cured
    assert cured.treated > cured.sick
