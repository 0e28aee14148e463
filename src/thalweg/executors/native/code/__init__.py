"""From tasks to LLVM."""
