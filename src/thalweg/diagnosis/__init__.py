"""What is wrong with a training, and what to do about it."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.diagnosis.looking import look as look
from thalweg.doctor.doctor import DiagnosisNotice as DiagnosisNotice
from thalweg.doctor.doctor import Doctor as Doctor
from thalweg.doctor.finding import LABELS as LABELS
from thalweg.doctor.finding import Diagnosis as Diagnosis
from thalweg.doctor.finding import Finding as Finding

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
