"""LLVM IR to machine code, through llvmlite."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from thalweg import cores
from thalweg.errors import ExecutorError
from thalweg.executors import forks
from thalweg.executors.native.host import Host

_lock = threading.Lock()
_ready = False


class Part(NamedTuple):
    """Functions in LLVM IR that are compiled by themselves.

    Arguments:
        optimized: whether they are worth LLVM's time: without, it takes a third, and the code takes some times longer.
    """

    text: str
    optimized: bool = True


def binding() -> Any:
    """llvmlite's binding, made ready; loading it takes some 50 ms, so only when something has to be compiled.

    Raises: ExecutorError if its library cannot be loaded.
    """
    global _ready
    try:
        import llvmlite.binding as llvm
    except OSError as error:
        raise ExecutorError(
            "llvmlite's library cannot be loaded",
            expected="a whole installation, and some 300 MB of memory to map it into",
            got=str(error),
            fix="raise the limit if there is one (ulimit -v), install llvmlite again, or set THALWEG_EXECUTOR=numpy",
        ) from error

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
    spec = importlib.util.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return "none"
    return " ".join(path.name for path in Path(spec.origin).parents[1].glob("llvmlite-*"))


def compile_parts(parts: Iterable[Part], host: Host) -> list[bytes]:
    """Object code (ELF, Mach-O or COFF) for this machine of each part of a program, on all cores.

    Compiling begins with the first part, while ``parts`` still makes the next ones.
    """
    # Plain threads: concurrent.futures takes 8 ms to load, and holds a lock over a fork that these would wait for.
    waiting: SimpleQueue[tuple[int, Part] | None] = SimpleQueue()
    results: dict[int, bytes] = {}
    errors: list[BaseException] = []

    def work() -> None:
        while (item := waiting.get()) is not None:
            number, part = item
            try:
                if not errors:
                    results[number] = _emitted(part, host, as_object=True)
            except BaseException as error:
                errors.append(error)

    crew: list[threading.Thread] = []
    with forks.compiling():
        try:
            with contextlib.suppress(RuntimeError, MemoryError):  # no more threads: fewer will do
                for _ in range(cores.available()):
                    thread = threading.Thread(target=work, name="thalweg-compile")
                    thread.start()
                    crew.append(thread)
            for item in enumerate(parts):
                waiting.put(item)
        except BaseException as error:
            errors.append(error)
        finally:
            for _ in range(len(crew) + 1):
                waiting.put(None)
            if not crew:
                work()
            for thread in crew:
                thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in sorted(results)]


def compile_object(part: Part, host: Host) -> bytes:
    """Object code of one part."""
    with forks.compiling():
        return _emitted(part, host, as_object=True)


def compile_assembly(part: Part, host: Host) -> str:
    """One part in the processor's own language."""
    with forks.compiling():
        return _emitted(part, host, as_object=False).decode()


def _emitted(part: Part, host: Host, *, as_object: bool) -> bytes:
    """What the machine's code generator makes of a module, which has a context of its own: threads must not share one.

    Raises: RuntimeError for text that is no IR.
    """
    llvm = binding()
    ffi = llvm.ffi
    machine = _target_machine(llvm, host, 2 if part.optimized else 0)
    context = llvm.create_context()
    with ffi.OutputString() as error:
        module = llvm.ModuleRef(_unlocked(ffi, "LLVMPY_ParseAssembly")(context, part.text.encode(), error), context)
        if error:
            module.close()
            raise RuntimeError(f"LLVM cannot read the code: {error}")
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    with ffi.OutputString() as error:
        buffer = _unlocked(ffi, "LLVMPY_TargetMachineEmitToMemory")(machine, module, int(as_object), error)
        if not buffer:
            raise RuntimeError(f"LLVM cannot compile the code: {error}")
    try:
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _unlocked(ffi: Any, name: str) -> Any:
    """A function of llvmlite's library without the lock under which llvmlite lets only one thread into it.

    Source: LLVM Programmer's Manual, "Threads and LLVM": threads may compile at once, each in a context of its own.
    """
    locked = getattr(ffi.lib, name)
    library = Path(ffi.__file__).parent / ffi.get_library_name()
    function = getattr(ctypes.CDLL(str(library)), name)
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


def _target_machine(llvm: Any, host: Host, level: int) -> Any:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=host.cpu or llvm.get_host_cpu_name(), features=host.features, opt=level, reloc="pic", codemodel="small"
    )
