"""The record of trainings: begun here, found again, and repeated. ``docs/runs.md`` says what is kept, and where."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.runs.again import *
from thalweg.runs.finding import *

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
