"""The public names of callbacks: functions that ``fit`` calls on its way."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.training.backup import BackupAndRestore as BackupAndRestore
from thalweg.training.callbacks import Callback as Callback
from thalweg.training.callbacks import CallbackList as CallbackList
from thalweg.training.callbacks import CSVLogger as CSVLogger
from thalweg.training.callbacks import History as History
from thalweg.training.callbacks import LambdaCallback as LambdaCallback
from thalweg.training.callbacks import LearningRateScheduler as LearningRateScheduler
from thalweg.training.callbacks import SwapEMAWeights as SwapEMAWeights
from thalweg.training.callbacks import TerminateOnNaN as TerminateOnNaN
from thalweg.training.measuring import LayerStatistics as LayerStatistics
from thalweg.training.monitors import EarlyStopping as EarlyStopping
from thalweg.training.monitors import ModelCheckpoint as ModelCheckpoint
from thalweg.training.monitors import ReduceLROnPlateau as ReduceLROnPlateau
from thalweg.training.tensorboard import TensorBoard as TensorBoard
from thalweg.training.timing import TerminateAfter as TerminateAfter
from thalweg.training.timing import TimeLimit as TimeLimit
from thalweg.training.timing import Timing as Timing
from thalweg.training.trackers import MLflow as MLflow
from thalweg.training.trackers import WandB as WandB
from thalweg.training.validating import ValidateEvery as ValidateEvery

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
