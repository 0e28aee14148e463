"""The parts of a judgement that need only targets and predictions."""

from thalweg.evaluation.sections.of_classes import Calibration as Calibration
from thalweg.evaluation.sections.of_classes import Confusion as Confusion
from thalweg.evaluation.sections.of_classes import Curves as Curves
from thalweg.evaluation.sections.of_classes import Report as Report
from thalweg.evaluation.sections.of_numbers import Intervals as Intervals
from thalweg.evaluation.sections.of_numbers import Residuals as Residuals
from thalweg.evaluation.sections.of_rows import Groups as Groups
from thalweg.evaluation.sections.of_rows import Scores as Scores
from thalweg.evaluation.sections.of_rows import Worst as Worst
from thalweg.evaluation.sections.of_rows import by_groups as by_groups
from thalweg.evaluation.sections.of_rows import worst as worst
