"""Numerical differentiation: difference formulas, how exact they are, and gradients checked against them."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.numdiff.check import GradientCheck as GradientCheck
from thalweg.numdiff.check import TensorCheck as TensorCheck
from thalweg.numdiff.check import check_gradients as check_gradients
from thalweg.numdiff.check import random_data as random_data
from thalweg.numdiff.differences import backward as backward
from thalweg.numdiff.differences import central as central
from thalweg.numdiff.differences import forward as forward
from thalweg.numdiff.differences import richardson as richardson
from thalweg.numdiff.study import ErrorStudy as ErrorStudy
from thalweg.numdiff.study import error_study as error_study

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
