"""LLVM IR to machine code, through llvmlite."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Any

from thalweg.executors.native.host import Host

_lock = threading.Lock()
_ready = False


def binding() -> Any:
    """llvmlite's binding, made ready; loading it takes some 50 ms, so only when something has to be compiled."""
    global _ready
    import llvmlite.binding as llvm

    with _lock:
        if not _ready:
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            _ready = True
    return llvm


def llvm_version() -> str:
    """The version of llvmlite that is installed, without loading it; from the name of its folder of metadata.

    importlib.metadata would tell too, but takes 15 ms to load.
    """
    found = importlib.util.find_spec("llvmlite")
    if found is None or found.origin is None:
        return "none"
    return " ".join(path.name for path in Path(found.origin).parents[1].glob("llvmlite-*"))


def compile_object(ir: str, host: Host) -> bytes:
    """Object code (ELF, Mach-O or COFF) of a module for this machine."""
    module, machine = _parsed(ir, host)
    code: bytes = machine.emit_object(module)
    return code


def compile_assembly(ir: str, host: Host) -> str:
    """The same as text."""
    module, machine = _parsed(ir, host)
    text: str = machine.emit_assembly(module)
    return text


def _parsed(ir: str, host: Host) -> tuple[Any, Any]:
    """The module, checked by LLVM, and what compiles it."""
    llvm = binding()
    machine = _target_machine(llvm, host)
    module = llvm.parse_assembly(ir)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    return module, machine


def _target_machine(llvm: Any, host: Host) -> Any:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=host.cpu or llvm.get_host_cpu_name(), features=host.features, opt=2, reloc="pic", codemodel="small"
    )
