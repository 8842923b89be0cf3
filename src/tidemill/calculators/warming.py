"""Compiled kernels: made before they are needed, and announced where somebody waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.calculators.program import Program, to_compile
from tidemill.calculators.registry import PRESETS, preset
from tidemill.calculators.settings import Settings
from tidemill.model.aliases import Feature
from tidemill.model.logs import engine_log
from tidemill.model.progress import Progress, emit

__all__ = ["Warmed", "announce", "warm"]

log = engine_log(__name__)


@dataclass(frozen=True, slots=True)
class Warmed:
    """What :func:`warm` did."""

    folder: str  # of the compiled kernels
    compiled: int  # kernels that were not there before
    seconds: float


def warm(settings: Any = None) -> Warmed:
    """Compile every kernel that settings need; without settings those of all presets.

    Raises
    ------
    SettingsError
        If the settings cannot be used.
    """
    from tidemill.calculators.jit.cache import cache_folder

    every: list[Sequence[Feature]] = [preset(name, times=True) for name in PRESETS]
    if settings is not None:
        chosen = Settings.from_any(settings)
        every = [chosen.default, *chosen.kinds.values()]
    began = time.perf_counter()
    programs = [Program(features) for features in every]
    compiled = to_compile(programs)
    for program in programs:
        program.warmup()
    return Warmed(str(cache_folder() or "memory"), compiled, time.perf_counter() - began)


def announce(programs: Iterable[Program]) -> str:
    """Say that kernels are about to be compiled; "" and nothing is said if they are not."""
    n = to_compile(programs)
    if not n:
        return ""
    text = waiting_text(n)
    log.info("%s", text)
    emit(Progress("compiling kernels", note=text))
    return text


def waiting_text(n: int) -> str:
    """What somebody waits for.

    Examples
    --------
    >>> waiting_text(12)
    'Compiling 12 kernels, which happens once on this machine'
    """
    return f"Compiling {n} kernel{'s' * (n != 1)}, which happens once on this machine"
