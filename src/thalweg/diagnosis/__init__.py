"""What is wrong with a training, and what to do about it."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.diagnosis.examining.batch import BatchFit as BatchFit
from thalweg.diagnosis.examining.batch import overfit_batch as overfit_batch
from thalweg.diagnosis.examining.curvature import Curvature as Curvature
from thalweg.diagnosis.examining.curvature import curvature as curvature
from thalweg.diagnosis.examining.examination import Examination as Examination
from thalweg.diagnosis.examining.examination import examine as examine
from thalweg.diagnosis.examining.gradients import GradientTest as GradientTest
from thalweg.diagnosis.examining.gradients import gradient_test as gradient_test
from thalweg.diagnosis.examining.inputs import InputUse as InputUse
from thalweg.diagnosis.examining.inputs import input_baseline as input_baseline
from thalweg.diagnosis.examining.noise import NoiseScale as NoiseScale
from thalweg.diagnosis.examining.noise import noise_scale as noise_scale
from thalweg.diagnosis.examining.outcome import Cannot as Cannot
from thalweg.diagnosis.examining.outcome import Outcome as Outcome
from thalweg.diagnosis.examining.rate import RateRange as RateRange
from thalweg.diagnosis.examining.rate import rate_range as rate_range
from thalweg.diagnosis.examining.seeds import SeedSpread as SeedSpread
from thalweg.diagnosis.examining.seeds import seed_sensitivity as seed_sensitivity
from thalweg.diagnosis.examining.surface import Surface as Surface
from thalweg.diagnosis.examining.surface import loss_surface as loss_surface
from thalweg.diagnosis.looking import look as look
from thalweg.doctor.doctor import DiagnosisNotice as DiagnosisNotice
from thalweg.doctor.doctor import Doctor as Doctor
from thalweg.doctor.finding import LABELS as LABELS
from thalweg.doctor.finding import Diagnosis as Diagnosis
from thalweg.doctor.finding import Finding as Finding

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
