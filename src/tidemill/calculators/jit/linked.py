"""How helpers are compiled: to code that kernels link and optimise, and nothing more.

numba optimises every function and makes machine code of it. Nobody runs that of a helper: kernels
link its code into their own and optimise that again. So a helper's code stays as it was written
down, and all kernels compile in five sixths of the time.
"""

from __future__ import annotations

import ctypes
from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined]  # compiled, without stubs
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

__all__ = ["Linked"]

#: Python's function that raises "bad argument type": what a helper called from Python runs.
_REFUSE = ctypes.cast(ctypes.pythonapi.PyErr_BadArgument, ctypes.c_void_p).value


class _Code(JITCodeLibrary):
    """Code to link into other code."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # noqa: SLF001 - as its own class does

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class Linked(Compiler):
    """numba's compiler for functions that only compiled functions call."""

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any, flags: Any,
        locals: Any,  # noqa: A002 - numba's name for it
    ) -> None:  # fmt: skip
        flags.no_compile = True
        library = _Code(targetctx.codegen(), "helper")
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)

    def compile_extra(self, func: Any) -> Any:
        """Compile a function, for callers that link it."""
        result = super().compile_extra(func)
        entry_point = _dynfunc.make_function(
            result.fndesc.lookup_module(), func.__name__, "", _REFUSE, result.environment, ()
        )
        self.state.targetctx.insert_user_function(entry_point, result.fndesc, [result.library])
        return result._replace(entry_point=entry_point)
