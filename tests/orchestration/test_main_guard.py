"""A script without a guard gets one sentence instead of workers; others get their workers."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pandas as pd
import pytest

from tidemill.orchestration.main_guard import is_guarded

CALL = """
    extract("in.parquet", "matrix", "id", "time", settings="minimal", cluster="processes:1")
"""
HEAD = "from tidemill.flows.extract import extract\n"
BARE = HEAD + textwrap.dedent(CALL)
IN_FUNCTION = f"{HEAD}\ndef main():\n{CALL}\nmain()\n"
GUARDED = f'{HEAD}\nif __name__ == "__main__":\n{CALL}'


@pytest.fixture
def run(tmp_path, server_environment):
    """Run a script in a folder with an input; its exit code and standard error."""
    frame = pd.DataFrame({"id": [1, 1, 2], "time": [0, 1, 0], "x": [1.0, 3.0, 2.0]})
    frame.to_parquet(tmp_path / "in.parquet")

    def started(script: str) -> tuple[int, str]:
        (tmp_path / "script.py").write_text(script)
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    return started


@pytest.mark.parametrize("script", [BARE, IN_FUNCTION])
def test_an_unguarded_script_ends_with_one_sentence(script, run, tmp_path):
    code, shown = run(script)
    assert code == 1
    (sentence,) = [line for line in shown.splitlines() if line.startswith("ClusterError: ")]
    assert "cluster='processes:1' starts processes that import this script" in sentence
    assert 'below `if __name__ == "__main__":`, or use cluster=' in sentence
    assert "Traceback" not in shown
    assert len(shown.splitlines()) < 12
    assert not (tmp_path / "matrix").exists()


@pytest.mark.slow
def test_a_guarded_script_gets_its_workers(run, tmp_path):
    code, shown = run(GUARDED)
    assert code == 0, shown
    assert (tmp_path / "matrix" / "_delta_log").exists()


@pytest.mark.parametrize(
    ("script", "line", "guarded"),
    [
        ("run()\n", 1, False),
        ("if __name__ == '__main__':\n    run()\n", 2, True),
        ("if ready and '__main__' == __name__:\n    run()\n", 2, True),
        ("import sys\nif __name__ != '__main__':\n    sys.exit()\nrun()\n", 4, True),
        ("if debug:\n    run()\n", 2, False),
        ("run()\nif __name__ == '__main__':\n    run()\n", 1, False),
        ("!magic\nrun()\n", 2, True),
    ],
)
def test_a_guard_is_an_if_about_the_name_above_or_around(script, line, guarded):
    assert is_guarded(script, line) == guarded
