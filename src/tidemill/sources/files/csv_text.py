"""The text of a CSV file as UTF-8: its encoding, its first lines, and its comments.

What Arrow's parser takes for rows and is none must not reach it: comments, and NUL bytes, which it
would keep. A file is read once, in blocks that end with a line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tidemill.errors import SourceError

__all__ = ["NO_COMMENTS", "RowText", "Utf8Text", "comment_marks", "split_lines"]

#: Bytes from which the dialect of a file is told.
HEAD_BYTES = 2**16
#: What begins a comment if nobody says so; a line that could as well be a row is refused.
COMMENTS = ("#", "//")
#: The word for files without comments.
NO_COMMENTS = "none"
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_QUOTE = 34


def split_lines(text: str) -> list[str]:
    """Cut text into lines, which keep their ends.

    Examples
    --------
    >>> len(split_lines("a" + chr(13) + chr(10) + "b" + chr(13) + "c"))
    3
    """
    return _LINE.findall(text)


def comment_marks(option: str | None) -> tuple[str, ...]:
    """What begins a comment.

    Examples
    --------
    >>> comment_marks(None), comment_marks("%"), comment_marks("none")
    (('#', '//'), ('%',), ())
    """
    if option is None:
        return COMMENTS
    return () if option == NO_COMMENTS else (option,)


class Utf8Text:
    """A stream of bytes as UTF-8 text: first its head, then the rows without comments."""

    def __init__(self, stream: Any, name: str, encoding: str | None) -> None:
        """Read the first bytes of a stream, which tell its encoding if it is not named."""
        self.name = name
        self._stream = stream
        first = self._fill(HEAD_BYTES)
        self.is_whole = len(first) < HEAD_BYTES
        mark = next((mark for mark in MARKS if first.startswith(mark)), b"")
        self.encoding = _encoding(mark, encoding, name)
        first = first[len(mark) :]
        if not first:
            raise SourceError(f"{name} is empty: write it again, or remove it from the input")
        self._decoder = self._make_decoder()
        self.head = self._decode(first)

    def _make_decoder(self) -> codecs.IncrementalDecoder | None:
        try:
            if codecs.lookup(self.encoding).name in ("utf-8", "ascii"):
                return None
            return codecs.getincrementaldecoder(self.encoding)()
        except LookupError:
            raise SourceError(
                f"csv_encoding={self.encoding!r} is not an encoding: give one that Python knows, "
                "such as 'cp1252', 'latin-1' or 'utf-16'"
            ) from None

    def _fill(self, size: int) -> bytes:
        """Read ``size`` bytes, or those that are left."""
        pieces = []
        while size and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _decode(self, raw: bytes) -> bytes:
        if self._decoder is not None:
            raw = self._translate(raw)
        if b"\0" in raw:
            raise SourceError(
                f"{self.name} holds NUL bytes: it is damaged, or its encoding is one such as "
                "'utf-16-le', which csv_encoding (--csv-encoding) has to name"
            )
        return raw

    def _translate(self, raw: bytes) -> bytes:
        assert self._decoder is not None, "UTF-8 passes as it is"
        try:
            return self._decoder.decode(raw, final=not raw).encode()
        except UnicodeError as error:
            raise SourceError(
                f"{self.name} is not text in {self.encoding}, which csv_encoding or its first "
                f"bytes name ({error}): name the right one in csv_encoding"
            ) from None

    def read_block(self, size: int) -> bytes:
        """The next bytes after the head, as UTF-8; none at the end."""
        while raw := self._fill(size):
            if text := self._decode(raw):
                return text
        return self._decode(b"") if self._decoder is not None else b""


def _encoding(mark: bytes, named: str | None, name: str) -> str:
    """The encoding by the mark at the start of a file, or else as it was named."""
    if not mark:
        return named or "utf-8"
    marked = MARKS[mark]
    if named is not None and not marked.startswith(named.lower().replace("_", "-")[:5]):
        raise SourceError(
            f"{name} begins with the mark of {marked}, but csv_encoding={named!r}: leave it out"
        )
    return marked


class RowText(io.RawIOBase):
    """What Arrow's parser reads: the rows of a file, from the first one, without comments."""

    def __init__(
        self,
        text: Utf8Text,
        skip: int,
        marks: Sequence[str],
        fields: int,
        delimiter: str,
        *,
        is_told: bool,
    ) -> None:
        """Begin ``skip`` bytes after the start; ``is_told``: comments may look like rows."""
        super().__init__()
        self._text = text
        self._ready = memoryview(b"")
        self._line = b""  # a line whose end is not read yet
        self._next: bytes | None = text.head[skip:]
        self._marks = [mark.encode() for mark in marks]
        joined = b"|".join(re.escape(mark) for mark in self._marks)
        self._comment = re.compile(rb"(?:^|(?<=[\r\n]))(?:%s)[^\r\n]*(?:\r\n|\r|\n|$)" % joined)
        self._fields, self._delimiter, self._is_told = fields, delimiter, is_told
        self._is_quoted = False  # the number of quotes so far is odd
        self._opened = b""  # the line in which it became odd

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; none at the end."""
        assert size > 0, "Arrow reads blocks"
        while not self._ready and self._next is not None:
            self._ready = memoryview(self._lines(size))
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)

    def _lines(self, size: int) -> bytes:
        """The next whole lines; at the end, the last one."""
        block = self._line + (self._next or b"")
        # A line end of two characters is not cut in two.
        end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
        self._next = self._text.read_block(max(size - len(block) + end, size // 2)) or None
        if self._next is None:
            end = len(block)
        lines, self._line = block[:end], block[end:]
        kept = self._without_comments(lines) if self._may_hold_comments(lines) else lines
        self._count_quotes(kept)
        if self._next is None and self._is_quoted:
            self._refuse_open_quote()
        return kept

    def _may_hold_comments(self, lines: bytes) -> bool:
        return any(mark in lines and self._begins_line(mark, lines) for mark in self._marks)

    def _begins_line(self, mark: bytes, lines: bytes) -> bool:
        return lines.startswith(mark) or b"\n" + mark in lines or b"\r" + mark in lines

    def _without_comments(self, lines: bytes) -> bytes:
        kept, done = [], 0
        is_quoted = self._is_quoted
        for found in self._comment.finditer(lines):
            before = lines[done : found.start()]
            is_quoted ^= before.count(b'"') % 2 == 1
            kept.append(before)
            done = found.start() if is_quoted else found.end()
            if not is_quoted:
                self._check_comment(found[0])
        return b"".join([*kept, lines[done:]])

    def _check_comment(self, line: bytes) -> None:
        """Refuse a line that may be a comment or a row."""
        text = line.decode(errors="replace").rstrip("\r\n")
        if not self._is_told and _count_fields(text, self._delimiter) == self._fields:
            mark = next(mark for mark in COMMENTS if text.startswith(mark))
            raise SourceError(
                f"{self._text.name}: the line {text[:80]!r} may be a comment or a row: say "
                f"csv_comment={mark!r} (--csv-comment) if it is a comment, {NO_COMMENTS!r} if it "
                "is a row"
            )

    def _count_quotes(self, lines: bytes) -> None:
        if b'"' not in lines:
            return
        quotes = np.flatnonzero(np.frombuffer(lines, np.uint8) == _QUOTE)
        if len(quotes) % 2:
            self._is_quoted = not self._is_quoted
            last = int(quotes[-1])
            self._opened = lines[lines.rfind(b"\n", 0, last) + 1 : last + 40]

    def _refuse_open_quote(self) -> None:
        shown = self._opened.decode(errors="replace").splitlines()[0]
        raise SourceError(
            f'{self._text.name} holds an odd number of quotes ("), so one is opened and not '
            f"closed, perhaps in the line {shown[:80]!r}: close it, or double it within quoted text"
        )


def _count_fields(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))
