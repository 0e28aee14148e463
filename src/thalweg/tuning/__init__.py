"""Which values make the best network: searches over ranges and lists, on all cores and on many machines."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.record.trials import Trial as Trial
from thalweg.tuning.found import SearchResult as SearchResult
from thalweg.tuning.of_tables import tune_table as tune_table
from thalweg.tuning.rates import RateTest as RateTest
from thalweg.tuning.rates import find_lr as find_lr
from thalweg.tuning.searching import search as search
from thalweg.tuning.space import Choice as Choice
from thalweg.tuning.space import Float as Float
from thalweg.tuning.space import Int as Int

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
