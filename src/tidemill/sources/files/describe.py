"""Describe the files of an input: what identifies each, and its columns; set bad ones aside."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from tidemill.errors import DataError, SourceError, UnfinishedFileError, shorten
from tidemill.model.source import BadFile, ColumnRoles, Reading, SourceFile
from tidemill.sources.files.access import located
from tidemill.sources.files.discovery import FoundFile
from tidemill.sources.files.file_format import Description, Format
from tidemill.sources.files.fingerprint import content_digest, in_threads
from tidemill.sources.files.union import FileSchema
from tidemill.storage.stores import Store

__all__ = [
    "Digest",
    "Files",
    "InputFile",
    "digest_by_content",
    "digest_by_version",
    "none_readable",
]

#: What identifies the content of a file, from its end.
Digest = Callable[[Store, FoundFile, bytes], str]

#: Descriptions kept in a process: a backfill looks at all files for each interval.
KEPT_FILES = 16_384
#: A file that cannot be read may still be on its way for this long after it was written last.
UPLOAD_SECONDS = 600.0
_KEPT: OrderedDict[object, InputFile] = OrderedDict()
_KEPT_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class InputFile:
    """What identifies a file, and its description."""

    file: SourceFile
    description: Description
    name: str  # path or URL, for messages

    @property
    def columns(self) -> FileSchema:
        """Its columns."""
        return FileSchema(self.name, self.description.schema, self.file.constants)


@dataclass(frozen=True, slots=True)
class Files:
    """Describes files of one format; under ``on_bad_file="quarantine"`` bad ones are set aside."""

    store: Store
    format: Format
    reading: Reading
    digest: Digest
    keep: bool = False  # descriptions, in this process

    def describe(self, found: Sequence[FoundFile]) -> tuple[list[InputFile], list[BadFile]]:
        """Describe files without reading their rows; those that can be described, and bad ones.

        Raises
        ------
        SourceError
            If a file cannot be read, unless bad files are quarantined; if none can be read.
            ``UnfinishedFileError`` where it may be whole at the next attempt.
        """
        looked = in_threads(lambda file: self._attempt(self._described, file), found, self.store)
        return self._sorted(looked)

    def scan(
        self, files: Sequence[InputFile], columns: ColumnRoles
    ) -> tuple[list[InputFile], list[BadFile]]:
        """Read files that do not describe themselves, for the types of their columns."""
        if self.format.scan is None or not files:
            return list(files), []
        looked = in_threads(
            lambda one: self._attempt(lambda _: self._scanned(one, columns), one.file),
            files,
            self.store,
        )
        return self._sorted(looked)

    def _sorted(
        self, looked: Sequence[InputFile | BadFile]
    ) -> tuple[list[InputFile], list[BadFile]]:
        good = [one for one in looked if isinstance(one, InputFile)]
        bad = [one for one in looked if isinstance(one, BadFile)]
        if bad and not good:
            raise none_readable(bad)
        return good, bad

    def _attempt(
        self, look: Callable[[FoundFile], InputFile], file: FoundFile | SourceFile
    ) -> InputFile | BadFile:
        try:
            return look(file)  # type: ignore[arg-type]
        except (SourceError, DataError) as error:
            if self.reading.on_bad_file != "quarantine":
                if isinstance(error, SourceError) and self._is_fresh(file):
                    raise UnfinishedFileError(str(error)) from error
                raise
            identity = file.digest if isinstance(file, SourceFile) else file.version
            return BadFile(file.path, file.size, identity, str(error))

    def _is_fresh(self, file: FoundFile | SourceFile) -> bool:
        """Whether a file may still be written; object stores show whole ones only."""
        if not (self.store.is_local and file.version.isdigit()):
            return False
        return abs(time.time() - int(file.version) / 1e9) < UPLOAD_SECONDS

    def _described(self, file: FoundFile) -> InputFile:
        def look() -> InputFile:
            name = self.store.url_of(file.path)
            with located(name), self.store.open_input(file.path) as stream:
                description = self.format.describe(stream, name, file.size, self.reading)
            identified = SourceFile(
                path=file.path,
                size=file.size,
                version=file.version,
                digest=self.digest(self.store, file, description.footer),
                rows=description.rows,
                groups=description.groups,
                constants=file.constants,
                state=file.state,
            )
            return InputFile(identified, description, name)

        return self._once((self.store.url, file, self.reading), look)

    def _scanned(self, one: InputFile, columns: ColumnRoles) -> InputFile:
        assert self.format.scan is not None, "the files do not describe themselves"
        scan = self.format.scan

        def look() -> InputFile:
            with located(one.name), self.store.open_input(one.file.path) as stream:
                found = scan(stream, one.name, one.file.size, self.reading, columns)
            return replace(one, file=replace(one.file, rows=found.rows), description=found)

        return self._once((self.store.url, one.file, self.reading, columns), look)

    def _once(self, key: object, look: Callable[[], InputFile]) -> InputFile:
        """What is known of one version of a file, found once in a process."""
        if not self.keep:
            return look()
        with _KEPT_LOCK:
            if (known := _KEPT.get(key)) is not None:
                _KEPT.move_to_end(key)
                return known
        found = look()
        with _KEPT_LOCK:
            _KEPT[key] = found
            while len(_KEPT) > KEPT_FILES:
                _KEPT.popitem(last=False)
        return found


def none_readable(bad: Sequence[BadFile]) -> SourceError:
    """The error that says why no file of an input can be read."""
    reasons = shorten((one.reason for one in bad), 3)
    return SourceError(f"none of {len(bad)} input files can be read: {reasons}")


def digest_by_content(store: Store, file: FoundFile, tail: bytes) -> str:
    """The digest of the whole content of a local file."""
    del tail
    path = store.local_path(file.path)
    assert path is not None, "only local files are read in full"
    return content_digest(path)


def digest_by_version(store: Store, file: FoundFile, tail: bytes) -> str:
    """The digest of a file's size, version and footer."""
    del store
    facts = hashlib.sha256(f"{file.size} {file.version} ".encode() + tail)
    return f"version:{facts.hexdigest()}"
