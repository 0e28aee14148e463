"""What lasts from one step to the next: named arrays with their types, read, written and copied in one way."""

from thalweg.state.state import CompiledStep as CompiledStep
from thalweg.state.state import Snapshot as Snapshot
from thalweg.state.state import State as State
from thalweg.state.state import Variable as Variable
