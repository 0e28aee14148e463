"""``python -m thalweg.cli``, where the program's own name is not on the path."""

from thalweg.cli import main

main()
