"""Makes object code executable without llvmlite: reads ELF files into memory and resolves their addresses.

The objects of a program refer to each other and to nothing else (the one system function that they call is handed in by
the table), so a few hundred bytes of headers and one or two kinds of relocation are all there is. What this does not
know, llvmlite's linker does (LinkedObjects).

Memory is writable while it is filled and executable afterwards, never both. Some systems refuse even that (systemd's
``MemoryDenyWriteExecute``, SELinux's ``execmem``): there the code is written into a file in memory, and that is mapped
as a library's would be.

Source: System V ABI, chapter 4, "Object files"; AMD64 supplement, section 4.4, "Relocation".
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import sys
from collections.abc import Sequence

import numpy as np

from thalweg.errors import ExecutorError
from thalweg.executors import forks
from thalweg.executors.native.code.llvm import binding
from thalweg.fields import dataclass

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_ALLOCATED, _WRITABLE = 0x2, 0x1
_SYMBOLS, _NO_BITS, _RELOCATIONS = 2, 8, 4
_UNDEFINED, _ABSOLUTE = 0, 0xFFF1
_ADDRESS, _RELATIVE, _CALL = 1, 2, 4  # R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32
_MOST_BYTES = 1 << 31
"""Addresses are relative, in 32 bits."""

_READ, _WRITE, _EXECUTE = 0x1, 0x2, 0x4


class CannotLoadError(Exception):
    """The object needs more than this loader knows."""


@dataclass
class _Section:
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    target: int
    align: int
    place: int = -1  # in the mapped memory


def load(objects: Sequence[bytes]) -> MappedObjects | LinkedObjects:
    """The object code of one program made executable, by llvmlite only where it has to be.

    Raises: ExecutorError if the system lets nothing be executed that was not in a program's file.
    """
    try:
        return MappedObjects(objects)
    except CannotLoadError:
        if not llvm_may_execute():  # it would not notice, and jump into memory that cannot be executed
            raise _refused(PermissionError("mprotect: memory cannot be made executable")) from None
        return LinkedObjects(objects)


def may_execute() -> bool:
    """Whether this process may execute what it has compiled."""
    kinds = (_OwnMemory, _FileInMemory) if _reads_elf() else (_OwnMemory,)
    return sys.platform != "linux" or any(_is_executable(kind) for kind in kinds)


def llvm_may_execute() -> bool:
    """The same for llvmlite's linker, which knows one way only."""
    return sys.platform != "linux" or _is_executable(_OwnMemory)


def _reads_elf() -> bool:
    """Whether MappedObjects knows this system."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _is_executable(kind: type[_OwnMemory] | type[_FileInMemory]) -> bool:
    try:
        kind(mmap.PAGESIZE).finish(mmap.PAGESIZE)
    except OSError:
        return False
    return True


def _refused(error: OSError) -> ExecutorError:
    return ExecutorError(
        "compiled code cannot be executed here",
        expected="a system that lets a program make its own memory executable",
        got=error.strerror or str(error),
        fix="set THALWEG_EXECUTOR=numpy, which is many times slower; or allow it: for a service of systemd with "
        "MemoryDenyWriteExecute=no, with SELinux by the permission execmem, and with enough memory (ulimit -v)",
    )


class _OwnMemory:
    """Memory that is filled, and executable afterwards.

    Attributes:
        base: its address.
        bytes: where to write what it shall hold.

    Raises: OSError if the system refuses it.
    """

    def __init__(self, size: int) -> None:
        self.bytes = mmap.mmap(-1, size)
        self._hold = np.frombuffer(self.bytes, np.uint8)  # keeps the mapping as long as this object
        self.base: int = self._hold.__array_interface__["data"][0]

    def finish(self, code_end: int) -> None:
        """Make what lies before ``code_end``, on pages of its own, executable."""
        _protect(self.base, code_end, _READ | _EXECUTE)


class _FileInMemory:
    """The same in a file that has no name on any disk; what is executable has never been writable."""

    def __init__(self, size: int) -> None:
        if not hasattr(os, "memfd_create"):
            raise OSError("there are no files in memory")
        self._file = os.memfd_create("thalweg")
        try:
            os.ftruncate(self._file, size)
            mapped = mmap.mmap(self._file, size, mmap.MAP_SHARED, _READ | _EXECUTE)
        except BaseException:
            os.close(self._file)
            raise
        self.bytes = memoryview(bytearray(size))
        self._hold = np.frombuffer(mapped, np.uint8)
        self.base: int = self._hold.__array_interface__["data"][0]

    def finish(self, code_end: int) -> None:
        """Write it, and make what lies from ``code_end`` on writable instead of executable."""
        os.pwrite(self._file, self.bytes, 0)
        os.close(self._file)
        if code_end < len(self.bytes):
            _protect(self.base + code_end, len(self.bytes) - code_end, _READ | _WRITE)


def _protect(address: int, size: int, protection: int) -> None:
    """Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), protection):
        number = ctypes.get_errno()
        raise OSError(number, f"mprotect: {os.strerror(number)}")


class MappedObjects:
    """The objects of one program in executable memory. Their functions live as long as this does.

    Raises: CannotLoadError if the platform or an object is not one that this loader knows.
    """

    def __init__(self, objects: Sequence[bytes]) -> None:
        if not _reads_elf():
            raise CannotLoadError("only ELF on x86-64 Linux is read here")
        try:
            every = [_sections(code) for code in objects]
            size, code_end = _lay_out([s for sections in every for s in sections])
            if size > _MOST_BYTES:
                raise CannotLoadError("the parts are too far from each other")
            tables = [_symbols(code, sections) for code, sections in zip(objects, every, strict=True)]
            self._functions = {name: place for table in tables for name, place in table if name and place is not None}
            try:
                self._memory = self._filled(_OwnMemory(max(size, 1)), code_end, objects, every, tables)
            except PermissionError:
                self._memory = self._filled(_FileInMemory(max(size, 1)), code_end, objects, every, tables)
        except OSError as error:
            raise _refused(error) from error
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise CannotLoadError(str(error)) from error

    def address(self, name: str) -> int:
        """Where a function begins. Raises KeyError if there is none of this name."""
        return self._memory.base + self._functions[name]

    def _filled(
        self,
        memory: _OwnMemory | _FileInMemory,
        code_end: int,
        objects: Sequence[bytes],
        every: list[list[_Section]],
        tables: list[list[tuple[str, int | None]]],
    ) -> _OwnMemory | _FileInMemory:
        """The memory with the objects in it, executable up to ``code_end``."""
        for code, sections, symbols in zip(objects, every, tables, strict=True):
            for s in sections:
                if s.place >= 0 and s.kind != _NO_BITS:
                    memory.bytes[s.place : s.place + s.size] = code[s.offset : s.offset + s.size]
            for s in sections:
                if s.kind == _RELOCATIONS and sections[s.target].place >= 0:
                    self._relocate(memory, code, s, sections[s.target], symbols)
        memory.finish(code_end)
        return memory

    def _relocate(
        self,
        memory: _OwnMemory | _FileInMemory,
        code: bytes,
        table: _Section,
        within: _Section,
        symbols: list[tuple[str, int | None]],
    ) -> None:
        for offset, info, addend in _RELOCATION.iter_unpack(code[table.offset : table.offset + table.size]):
            name, place = symbols[info >> 32]
            if place is None:
                place = self._functions.get(name)
            if place is None:
                raise CannotLoadError(f"{name!r} is not in the objects")
            at, kind = within.place + offset, info & 0xFFFFFFFF
            if kind == _ADDRESS:
                memory.bytes[at : at + 8] = struct.pack("<Q", memory.base + place + addend)
            elif kind in (_RELATIVE, _CALL):
                memory.bytes[at : at + 4] = struct.pack("<i", place + addend - at)
            else:
                raise CannotLoadError(f"relocation {kind} is not known")


def _sections(code: bytes) -> list[_Section]:
    if code[:6] != b"\x7fELF\x02\x01":
        raise CannotLoadError("not a 64-bit little-endian ELF object")
    (start,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = []
    for i in range(count):
        _, kind, flags, _, offset, length, link, info, align, _ = _SECTION.unpack_from(code, start + i * size)
        sections.append(_Section(kind, flags, offset, length, link, info, max(align, 1)))
    return sections


def _lay_out(sections: list[_Section]) -> tuple[int, int]:
    """Gives the sections that belong in memory their places, the writable ones on pages of their own.

    Returns the size of all, and where what may be executed ends.
    """
    at = code_end = 0
    for writable in (False, True):
        if writable:
            at = code_end = -(-at // mmap.PAGESIZE) * mmap.PAGESIZE
        for s in sections:
            # unwinding tables (.eh_frame, kind 0x70000001) are for exceptions, of which there are none
            if s.flags & _ALLOCATED and bool(s.flags & _WRITABLE) is writable and s.kind != 0x70000001:
                s.place = at = -(-at // s.align) * s.align
                at += s.size
    return at, code_end


def _symbols(code: bytes, sections: list[_Section]) -> list[tuple[str, int | None]]:
    """Name and place in memory of each symbol; None for what the object does not define."""
    table = next((s for s in sections if s.kind == _SYMBOLS), None)
    if table is None:
        raise CannotLoadError("no table of symbols")
    names = sections[table.link]
    symbols: list[tuple[str, int | None]] = []
    for name, _, _, section, value, _ in _SYMBOL.iter_unpack(code[table.offset : table.offset + table.size]):
        start = names.offset + name
        text = code[start : code.index(b"\0", start)].decode()
        defined = _UNDEFINED < section < _ABSOLUTE and sections[section].place >= 0
        symbols.append((text, sections[section].place + value if defined else None))
    return symbols


class LinkedObjects:
    """The objects of one program made executable by llvmlite's linker. Their functions live as long as this does."""

    def __init__(self, objects: Sequence[bytes]) -> None:
        with forks.compiling():
            llvm = binding()
            self._engine = llvm.create_mcjit_compiler(
                llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine()
            )
            for code in objects:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def system_yield() -> int:
    """The address of the system's function that lets other threads run."""
    library = ctypes.windll.kernel32 if hasattr(ctypes, "windll") else ctypes.CDLL(None)
    function = library.SwitchToThread if hasattr(ctypes, "windll") else library.sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
