"""How good a model is, and which of several is better: splits, folds, many networks at once."""

from thalweg.evaluation.population import fit_many as fit_many
