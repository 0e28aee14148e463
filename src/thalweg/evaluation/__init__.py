"""How good a model is, and which of several is better: splits, folds, judgements, many networks at once."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.evaluation.comparison import Comparison as Comparison
from thalweg.evaluation.comparison import compare as compare
from thalweg.evaluation.conformal import Conformal as Conformal
from thalweg.evaluation.cross_validation import CrossValidation as CrossValidation
from thalweg.evaluation.cross_validation import cross_validate as cross_validate
from thalweg.evaluation.dependence import Dependence as Dependence
from thalweg.evaluation.dependence import partial_dependence as partial_dependence
from thalweg.evaluation.holdout import HeldOut as HeldOut
from thalweg.evaluation.holdout import duplicates as duplicates
from thalweg.evaluation.holdout import hold_out as hold_out
from thalweg.evaluation.importance import Importance as Importance
from thalweg.evaluation.importance import permutation_importance as permutation_importance
from thalweg.evaluation.judgement import Judgement as Judgement
from thalweg.evaluation.judgement import judge as judge
from thalweg.evaluation.judgement import judge_predictions as judge_predictions
from thalweg.evaluation.population import fit_many as fit_many
from thalweg.evaluation.simpler import Baselines as Baselines
from thalweg.evaluation.simpler import baselines as baselines
from thalweg.evaluation.split import FoldNotice as FoldNotice
from thalweg.evaluation.split import Split as Split
from thalweg.evaluation.split import train_validation_test_split as train_validation_test_split

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
