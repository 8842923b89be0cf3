"""Compiled kernels: made before they are needed, and announced where somebody waits for them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.calculators.program import Program, to_compile
from tidemill.calculators.registry import PRESETS, preset
from tidemill.calculators.settings import Settings
from tidemill.model.aliases import Feature
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.model.progress import Progress, emit

if TYPE_CHECKING:
    from tidemill.calculators.jit.parallel_compile import CompileJob

__all__ = ["Warmed", "announce", "compile_seconds", "waiting_text", "warm"]

log = engine_log(__name__)

#: Seconds of a core for a kernel: 54 took 81 s of two slow ones.
KERNEL_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Warmed:
    """What :func:`warm` did."""

    folder: str  # of the compiled kernels
    compiled: int  # kernels that were not there before
    seconds: float


def warm(settings: Any = None, more: Sequence[CompileJob] = ()) -> Warmed:
    """Compile every kernel that settings need; without settings those of all presets.

    Parameters
    ----------
    settings : a preset, a settings file, or what settings are made of
    more : kernels that are compiled beside those of calculators

    Raises
    ------
    SettingsError
        If the settings cannot be used.
    """
    from tidemill.calculators.jit.cache import cache_folder
    from tidemill.calculators.jit.kernel import load_kernel
    from tidemill.calculators.jit.parallel_compile import fill

    every: list[Sequence[Feature]] = [preset(name, times=True) for name in PRESETS]
    if settings is not None:
        chosen = Settings.from_any(settings)
        every = [chosen.default, *chosen.kinds.values()]
    began = time.perf_counter()
    programs = [Program(features) for features in every]
    compiled = to_compile(programs, more)
    for program in programs:
        program.warmup()
    fill(more)
    for job in more:
        load_kernel(job.path).loop(job.inputs, job.parameters)
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
    """What somebody waits for, and for about how long.

    Examples
    --------
    >>> print(waiting_text(1).partition(" s ")[0])
    Compiling 1 kernel, about 2
    """
    seconds = max(round(compile_seconds(n)), 1)
    return f"Compiling {counted(n, 'kernel')}, about {seconds} s and once on this machine"


def compile_seconds(n: int) -> float:
    """About how long it takes to compile kernels, on the cores of this machine, seconds."""
    return n * KERNEL_SECONDS / max(min(n, os.cpu_count() or 1), 1)
