"""What is wrong with a training, and what to do about it."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.diagnosis.treatment.outcome import Treatment as Treatment
from thalweg.diagnosis.treatment.treat import treat as treat
from thalweg.doctor.doctor import Doctor as Doctor
from thalweg.doctor.finding import Diagnosis as Diagnosis
from thalweg.doctor.finding import Finding as Finding

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
