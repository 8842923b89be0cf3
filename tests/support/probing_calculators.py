"""A calculator that counts its calls on disk and does what the test wrote down for a series.

A test writes commands for one id to ``<folder>/<id>.do`` (``all.do``: for every id), separated by
semicolons: ``sleep SECONDS``, ``wait NAME`` (until the file ``<folder>/NAME`` exists), ``kill``
(the own process, with SIGKILL), ``fault N`` (ConnectionError in the first N calls), ``wrong``
(ValueError), ``lock`` (keeps the interpreter's lock for hours), ``crash`` (SIGSEGV), ``take MIB``
(memory, for good), ``spin`` (for ever, in Python). Not part of the input or settings:
what a series does may change between attempts.

Workers import this module by its name, so its folder has to be on their PYTHONPATH.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from tidemill.calculators import calculator

TAKEN = []
LONGEST_WAIT = 300.0  # seconds; no test process outlives its test for long


@calculator
def probe(values, folder):
    """The mean, after doing what the test wants."""
    series = int(values[0])
    calls = Path(folder) / "calls"
    with calls.open("a") as file:  # one short line, appended at once
        file.write(f"{os.getpid()} {series}\n")
    for command in _commands(Path(folder), series):
        _obey(Path(folder), series, *command.split())
    return values.mean()


def _commands(folder, series):
    """Commands for the series, then those for all."""
    texts = [
        path.read_text() for name in (series, "all") if (path := folder / f"{name}.do").exists()
    ]
    return [command for text in texts for command in text.split(";")]


def _obey(folder, series, verb, argument=""):  # noqa: C901  a list of commands
    match verb:
        case "sleep":
            time.sleep(float(argument))
        case "wait":
            _wait(folder / argument)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fault":
            if _count(folder, series) <= int(argument):
                raise ConnectionError("a fault that passes")
        case "lock":
            sum(range(10**14))
        case "spin":
            while True:
                pass
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "take":
            TAKEN.append(np.ones(int(argument) * 2**17))
        case "wrong":
            raise ValueError("a fault that stays")
        case _:
            raise AssertionError(verb)


def _wait(path):
    give_up = time.monotonic() + LONGEST_WAIT
    while not path.exists():
        if time.monotonic() > give_up:
            raise AssertionError(f"{path} did not appear")
        time.sleep(0.02)


def _count(folder, series):
    lines = (folder / "calls").read_text().splitlines()
    return sum(line.split()[1] == str(series) for line in lines)
