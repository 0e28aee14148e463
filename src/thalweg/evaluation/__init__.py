"""How good a model is, and which of several is better: splits, folds, many networks at once."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.evaluation.comparison import Comparison as Comparison
from thalweg.evaluation.comparison import compare as compare
from thalweg.evaluation.cross_validation import CrossValidation as CrossValidation
from thalweg.evaluation.cross_validation import cross_validate as cross_validate
from thalweg.evaluation.population import fit_many as fit_many
from thalweg.evaluation.split import FoldNotice as FoldNotice
from thalweg.evaluation.split import Split as Split
from thalweg.evaluation.split import train_validation_test_split as train_validation_test_split

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
