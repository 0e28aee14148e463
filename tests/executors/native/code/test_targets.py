"""Code for processors that this machine is not: LLVM compiles it all the same, and the loops that matter can be read.

AArch64 with and without SVE, and x86-64 as it was at first: a tile's sums stay in registers while the products run, and
there are no more instructions than products and loads.
"""

import re

import numpy as np
import pytest
from tests.executors import random_programs

from thalweg.executors.native.code.llvm import binding
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.run.kernels import additions, chain, intrinsics, loads, products, vector
from thalweg.graph.node import Graph
from thalweg.ops import convolve, state_node, transpose

ARM = ["", "cortex-a72", "neoverse-n1", "neoverse-v1", "neoverse-v2", "apple-m1"]  # V1 and V2 have SVE too
X86 = {AVX512: "skylake-avx512", AVX2: "haswell", SSE2: "x86-64"}
ADD = {NEON: "fmla", AVX512: "vfmadd", AVX2: "vfmadd", SSE2: "addps"}


def assembly(text: str, host, cpu: str) -> str:
    llvm = binding()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = f"{'aarch64' if host is NEON else 'x86_64'}-unknown-linux-gnu"
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=host.features, opt=2, reloc="pic", codemodel="small"
    )
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    return str(machine.emit_assembly(module))


def of_graph(graph: Graph, host, cpu: str, *, checked=False, gather=False) -> str:
    plan = make_plan(graph, target(host), gather=gather)
    parts = generate(plan, host, checked=checked, part_characters=10**9)
    return "\n".join(assembly(part.text, host, cpu) for part in parts)


def loops(text: str) -> list[list[str]]:
    """The instructions of each loop that has no other one and no branch inside."""
    found = []
    for block in re.split(r"^(?=\.L\w+:)", text, flags=re.M):
        label, *lines = block.splitlines()
        for end, line in enumerate(lines):
            if re.search(rf"\s(b\.\w+|j\w+)\s+{re.escape(label.split(':')[0])}$", line.rstrip()):
                found.append([line.strip() for line in lines[: end + 1]])
    return found


def dense(rows: int, inner: int, columns: int) -> Graph:
    x, w, z = state_node("x", (rows, inner)), state_node("w", (inner, columns)), state_node("z", (rows, columns))
    return Graph({}, {"z": x @ w, "w": w - (transpose(x) @ z) * np.float32(0.01)})


def images() -> Graph:
    x, kernel = state_node("x", (4, 12, 12, 16)), state_node("kernel", (3, 3, 16, 32))
    return Graph({}, {"y": convolve(x, kernel, padding=[(1, 1)] * 2)})


CASES = [*((NEON, cpu) for cpu in ARM), *X86.items()]


@pytest.mark.parametrize(("host", "cpu"), CASES, ids=lambda x: getattr(x, "name", x or "any"))
@pytest.mark.parametrize(
    "graph", [dense(128, 200, 256), dense(30, 20, 100), images()], ids=["large", "small", "images"]
)
def test_the_sums_of_a_tile_stay_in_registers(graph, host, cpu):
    inner = [loop for loop in loops(of_graph(graph, host, cpu)) if sum(ADD[host] in line for line in loop) >= 4]
    assert inner
    stack = re.compile(r"\[sp\b|\(%r[sb]p\b")
    for loop in inner:
        spilled = [line for line in loop if stack.search(line)]
        assert not spilled, "\n".join(loop)


@pytest.mark.parametrize("cpu", ARM)
def test_a_loop_of_products_has_little_else_on_arm(cpu):
    tiles = [loop for loop in loops(of_graph(dense(128, 200, 256), NEON, cpu)) if sum("fmla" in s for s in loop) >= 8]
    assert tiles
    for loop in tiles:
        others = [line for line in loop if not line.startswith(("fmla", "ld"))]
        assert len(others) <= 6, "\n".join(loop)  # to count, and to move on


@pytest.mark.parametrize(
    ("host", "cpu"), [(NEON, "neoverse-v1"), (SSE2, "x86-64")], ids=lambda x: getattr(x, "name", x)
)
def test_all_operations_compile(host, cpu):
    for seed in range(0, 40, 5):
        program = random_programs.make(seed)
        text = of_graph(program.graph, host, cpu, checked=seed % 2 == 1, gather=program.index is not None)
        assert "run:" in text


@pytest.mark.parametrize(("host", "cpu"), CASES, ids=lambda x: getattr(x, "name", x or "any"))
def test_what_a_core_is_measured_with_is_there(host, cpu):
    """LLVM might leave out what nobody uses, or do it once instead of in each turn."""
    kernels = [additions(), products(host), chain(host), loads("vectors", vector(host)), loads("numbers", "float")]
    text = assembly("\n".join([intrinsics(host), *(kernel.text for kernel in kernels)]), host, cpu)
    found = loops(text)
    assert len(found) == len(kernels)
    for kernel, loop in zip(kernels, found, strict=True):
        assert len(loop) >= (kernel.count / 2 if kernel.name == "vectors" and host is NEON else kernel.count)  # pairs
