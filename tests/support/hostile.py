"""Text that tries to break a report, a log line, a terminal or a path."""

from __future__ import annotations

HOSTILE = (
    "a\n\nb",
    "../../../escaped",
    "/escaped",
    "..\\escaped",
    "a\0b",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egpj.exe\u2066",
    "|cell|`code`",
    "```\n# heading",
    "<script>alert(1)</script>",
    "![x](https://example.org/x.png)",
    "__init__",
    "**bold** ~~gone~~",
    "=cmd|' /C calc'!A0",
    "$\\frac{",
    "%s %(x)s {0} {x}",
    "[red]markup[/red]",
    "\u2028\u2029\x85\r",
    "x" * 10_000,
)
