"""The native executor: a graph planned, written in LLVM and run as machine code of this processor."""
