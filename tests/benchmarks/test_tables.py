"""The benchmark of public tables where only the rivals are installed."""

import json
import subprocess
import sys
from pathlib import Path

import benchmarks

PROGRAM = """
import sys
sys.modules["thalweg"] = sys.modules["llvmlite"] = None
from benchmarks.tables.__main__ import main
main()
"""


def test_results_are_shown_without_thalweg(tmp_path):
    line = {"model": "realmlp_td", "table": "german", "split": 0, "score": 0.953, "seconds": 2.0}
    (tmp_path / "results.jsonl").write_text(json.dumps(line) + "\n")
    command = [sys.executable, "-c", PROGRAM, "report", "--folder", str(tmp_path)]
    root = Path(benchmarks.__path__[0]).parent
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "RealMLP-TD" in shown.stdout
