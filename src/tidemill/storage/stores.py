"""One interface to folders and object stores: read, write, create exclusively, list."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from tidemill.errors import ArgumentError
from tidemill.storage.options import check_options, resolve_options
from tidemill.storage.outages import silent_seconds
from tidemill.storage.streams import (
    RangeReader,
    is_staged,
    local_output,
    remote_output,
    sync_file,
)
from tidemill.storage.transient import is_transient, translated

__all__ = ["Entry", "Store", "local_folder"]

T = TypeVar("T")

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_CLIENT_OPTIONS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "proxy_url",
        "read_timeout",
        "timeout",
        "user_agent",
    }
)
# Seconds for each request, and for its retries. obstore's own three minutes are longer than anybody
# should wait for a message; and a lease is stale after one, so its requests end much earlier.
_PATIENT = (15, 20)
_IMPATIENT = (6, 10)
_HURRIED = (4, 4)  # while the storage is silent, see tidemill.storage.outages
_UNSORTED = "--x-s3"  # ends the names of S3's directory buckets, which list in no order
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a listing."""

    path: str  # relative to the store
    size: int  # bytes
    modified: float  # seconds since the epoch, by the storage's clock
    version: str  # etag, or modification time in nanoseconds


class Store:
    """A folder or a prefix in an object store; both behave the same.

    A store holds no connection and no secret: it can be pickled, and it resolves its
    ``storage_options`` (option to *name* of an environment variable) on the machine that uses it.
    Missing files raise ``FileNotFoundError``, missing permissions ``PermissionError``, a full disk
    :class:`~tidemill.errors.ResourceError`, network failures ``ConnectionError``.

    Examples
    --------
    >>> import tempfile
    >>> store = Store.open(tempfile.mkdtemp())
    >>> store.create("a/one.json", b"1"), store.create("a/one.json", b"2")
    (True, False)
    >>> store.read("a/one.json")
    b'1'
    >>> [(entry.path, entry.size) for entry in store.list()]
    [('a/one.json', 1)]
    """

    __slots__ = ("_limits", "storage_options", "url")

    def __init__(self, url: str, storage_options: Mapping[str, str] | None = None) -> None:
        self.url = url  # absolute path of a folder, or URL; no slash at the end
        self.storage_options = check_options(storage_options)
        self._limits = _PATIENT

    @classmethod
    def open(
        cls, location: str | os.PathLike[str], storage_options: Mapping[str, str] | None = None
    ) -> Self:
        """The store at a folder (which need not exist) or URL (s3, gs, az).

        Raises
        ------
        ArgumentError
            If the URL's scheme is unknown, the URL carries credentials, or a storage option is not
            the name of an environment variable.
        """
        return cls(_normalised(location), storage_options)

    @property
    def is_local(self) -> bool:
        """Whether this is a folder of a file system."""
        return "://" not in self.url

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Store)
            and self.url == other.url
            and self.storage_options == other.storage_options
        )

    def __hash__(self) -> int:
        return hash(self.url)

    def __getstate__(self) -> tuple[str, dict[str, str], tuple[int, int]]:
        return self.url, self.storage_options, self._limits

    def __setstate__(self, state: tuple[str, dict[str, str], tuple[int, int]]) -> None:
        self.url, self.storage_options, self._limits = state

    def url_of(self, path: str) -> str:
        """Full path or URL of ``path``."""
        return f"{self.url.rstrip('/')}/{path}" if path else self.url

    def child(self, prefix: str) -> Store:
        """The store of a folder below this one."""
        found = Store(self.url_of(prefix.strip("/")), self.storage_options)
        found._limits = self._limits
        return found

    def impatient(self) -> Store:
        """The same store, whose requests to an object store fail within 16 s."""
        found = Store(self.url, self.storage_options)
        found._limits = _IMPATIENT
        return found

    def local_path(self, path: str = "") -> Path | None:
        """The file's path in this machine's file system; None for an object store."""
        return Path(self.url_of(path)) if self.is_local else None

    def delta_options(self) -> dict[str, str]:
        """Options for deltalake, with this store's limits; they hold secrets."""
        options = resolve_options(self.storage_options)
        if self.is_local:
            return options
        seconds, retries = self._limits_now
        return {"timeout": f"{seconds}s", "retry_timeout": f"{retries}s", **options}

    def read(self, path: str) -> bytes:
        """Content of a file."""
        with translated(self.url_of(path)):
            backend, key = self._existing(path)
            return bytes(obstore.get(backend, key).bytes())

    def write(self, path: str, data: bytes, content_type: str | None = None) -> None:
        """Write a file in one step: readers see the old content or the new.

        A browser that is led to an object shows it, and does not save it, if it knows the type.
        """
        with translated(self.url_of(path), len(data)):
            backend, key = self._backend(path)
            told = {"Content-Type": content_type} if content_type and not self.is_local else None
            obstore.put(backend, key, data, attributes=told)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless it exists; of several callers at most one gets True.

        A request whose answer is lost is repeated, and then finds the file that it made: who gets
        False compares what the file holds with ``data``.
        """
        with translated(self.url_of(path), len(data)):
            backend, key = self._backend(path)
            try:
                _twice(lambda: obstore.put(backend, key, data, mode="create"))
            except AlreadyExistsError:
                return False
            return True

    def sync(self, path: str) -> None:
        """Bring a file that was written to disk, with its name; object stores have done so."""
        local = self.local_path(path)
        if local is not None:
            with translated(self.url_of(path)):
                sync_file(local)

    def delete(self, path: str) -> None:
        """Delete a file if it exists."""
        try:
            with translated(self.url_of(path)):
                backend, key = self._existing(path)
                obstore.delete(backend, key)
        except FileNotFoundError:
            return

    def delete_many(self, paths: Iterable[str]) -> None:
        """Delete files that may exist; of an object store, a thousand by each request."""
        wanted = list(paths)
        if self.is_local:
            for path in wanted:
                with translated(self.url_of(path)):
                    Path(self.url_of(path)).unlink(missing_ok=True)
            return
        keys = [self._key(path) for path in wanted]
        with translated(self.url):
            for start in range(0, len(keys), 1000):
                obstore.delete(self._connect(), keys[start : start + 1000])

    def delete_all(self, prefix: str = "") -> None:
        """Delete the folder ``prefix`` and everything below it."""
        folder = self.local_path(prefix)
        if folder is not None:
            _remove_tree(folder)
            return
        self.delete_many(entry.path for entry in self.list(prefix))

    def names(self, prefix: str = "", *, after: str = "", before: str = "") -> list[str]:
        """Names of the files directly below ``prefix``, ascending.

        Sizes and times take ten times longer. An object store is asked for no more names than lie
        between ``after`` and ``before``, if given; neither is among them.
        """
        folder = self.local_path(prefix)
        with translated(self.url_of(prefix)):
            if folder is not None:
                found = _file_names(folder)
            else:
                found = [meta["path"] for meta in self._listed(prefix, after, before)]
        names = (path.rpartition("/")[2] for path in found)
        return sorted(name for name in names if after < name and (not before or name < before))

    def files(self, prefix: str = "", *, after: str = "", before: str = "") -> list[Entry]:
        """As :meth:`names`, with sizes and times."""
        if self.is_local:
            names = self.names(prefix, after=after, before=before)
            looked = (self._info(f"{prefix}/{name}" if prefix else name) for name in names)
            return [entry for entry in looked if entry is not None]
        with translated(self.url_of(prefix)):
            found = [self._entry(meta) for meta in self._listed(prefix, after, before)]
        named = sorted((entry.path.rpartition("/")[2], entry) for entry in found)
        return [one for name, one in named if after < name and (not before or name < before)]

    def list(self, prefix: str = "") -> list[Entry]:
        """All files below the folder ``prefix``, sorted by path."""
        if self._is_absent(prefix):
            return []
        with translated(self.url_of(prefix)):
            backend, key = self._backend(prefix)
            found = _repeated(lambda: obstore.list(backend, key or None).collect())
        return sorted((self._entry(meta) for meta in found), key=lambda entry: entry.path)

    def folder(self, prefix: str = "") -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """The files and the folders directly below ``prefix``, each sorted by path."""
        if self._is_absent(prefix):
            return (), ()
        with translated(self.url_of(prefix)):
            backend, key = self._backend(prefix)
            found = _repeated(lambda: obstore.list_with_delimiter(backend, key or None))
        files = sorted((self._entry(meta) for meta in found["objects"]), key=lambda e: e.path)
        folders = sorted(self._relative(path) for path in found["common_prefixes"])
        return tuple(files), tuple(folders)

    def holds_any(self, prefix: str = "") -> bool:
        """Whether there is anything below the folder ``prefix``; reads no more than one page."""
        folder = self.local_path(prefix)
        with translated(self.url_of(prefix)):
            if folder is not None:
                try:
                    with os.scandir(folder) as found:
                        return next(found, None) is not None
                except (FileNotFoundError, NotADirectoryError):
                    return False
            backend, key = self._backend(prefix)
            return _repeated(lambda: any(obstore.list(backend, key or None, chunk_size=1)))

    def info(self, path: str) -> Entry:
        """Size, time and version of one file."""
        with translated(self.url_of(path)):
            backend, key = self._existing(path)
            return self._entry(obstore.head(backend, key))

    def exists(self, path: str) -> bool:
        """Whether the file exists (a folder is not a file)."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def open_input(self, path: str, *, memory_map: bool = False) -> pa.NativeFile:
        """The file, opened for random access; ``memory_map`` avoids a copy of a local file."""
        local = self.local_path(path)
        if local is not None:
            return pa.memory_map(str(local)) if memory_map else pa.OSFile(str(local))
        with translated(self.url_of(path)):
            backend, key = self._existing(path)
            return pa.PythonFile(RangeReader(backend, key), mode="r")

    @contextmanager
    def open_output(self, path: str) -> Iterator[BinaryIO]:
        """A file to write, which becomes visible only if the block ends without an error."""
        local = self.local_path(path)
        with translated(self.url_of(path)):
            if local is not None:
                with local_output(local) as file:
                    yield file
            else:
                with remote_output(*self._backend(path)) as file:
                    yield file

    def _listed(self, prefix: str, after: str, before: str) -> Iterable[Any]:
        """What an object store tells of files directly below a folder, of a span and around it."""
        backend, key = self._backend(prefix)
        above = f"{key}/" if key else ""
        is_sorted = not urlsplit(self.url).netloc.endswith(_UNSORTED)
        offset = f"{above}{after}" if after and is_sorted else None

        def ask() -> list[Any]:
            found: list[Any] = []
            for some in obstore.list(backend, key or None, offset=offset, chunk_size=1000):
                found += [meta for meta in some if "/" not in meta["path"][len(above) :]]
                if before and is_sorted and some[-1]["path"] >= f"{above}{before}":
                    break
            return found

        return _repeated(ask)

    def _info(self, path: str) -> Entry | None:
        try:
            return self.info(path)
        except FileNotFoundError:  # deleted since it was listed
            return None

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}".strip("/")

    def _relative(self, key: str) -> str:
        return key[len(self._prefix) :].lstrip("/")

    @property
    def _prefix(self) -> str:
        """What all keys start with. In a key, ``#`` and ``?`` are characters like others."""
        if self.is_local:
            return ""
        return self.url.partition("://")[2].partition("/")[2].strip("/")

    def _entry(self, meta: Any) -> Entry:
        moment: datetime = meta["last_modified"]
        microseconds = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
        version = None if self.is_local else meta["e_tag"] or meta["version"]
        return Entry(
            path=self._relative(meta["path"]),
            size=int(meta["size"]),
            modified=microseconds / 1e6,
            version=(version or str(microseconds * 1000)).strip('"'),
        )

    def _is_absent(self, prefix: str) -> bool:
        folder = self.local_path(prefix)
        return folder is not None and not folder.is_dir()

    def _existing(self, path: str) -> tuple[ObjectStore, str]:
        if self.is_local and not Path(self.url).is_dir():
            raise FileNotFoundError(path)
        return self._backend(path)

    def _backend(self, path: str) -> tuple[ObjectStore, str]:
        return self._connect(), self._key(path)

    @property
    def _limits_now(self) -> tuple[int, int]:
        return _HURRIED if silent_seconds(self.url) else self._limits

    def _connect(self) -> ObjectStore:
        if self.is_local:
            return _local_backend(self.url)
        root = f"{urlsplit(self.url).scheme}://{urlsplit(self.url).netloc}"
        options = tuple(sorted(resolve_options(self.storage_options).items()))
        return _remote_backend(root, options, *self._limits_now)


def local_folder(location: str | os.PathLike[str]) -> Path | None:
    """The path of a local location given as path or ``file://`` URL; None for other URLs.

    Examples
    --------
    >>> local_folder("s3://bucket/matrix") is None
    True
    >>> local_folder("file:///data/a%20b")
    PosixPath('/data/a b')
    """
    text = os.fspath(location)
    if text.startswith("file://"):
        return Path(unquote(urlsplit(text).path))
    return None if "://" in text else Path(text).expanduser().absolute()


def _normalised(location: str | os.PathLike[str]) -> str:
    local = local_folder(location)
    if local is not None:
        return os.path.normpath(local)
    url = os.fspath(location).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise ArgumentError(
            f"cannot open {_without_credentials(url)!r}: give a folder, or a URL that starts with "
            f"one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
        )
    if parts.password or ("@" in parts.netloc and not parts.scheme.startswith(("abfs", "az"))):
        raise ArgumentError(
            f"the URL {_without_credentials(url)!r} carries credentials; name environment "
            "variables in storage_options instead"
        )
    return url


def _file_names(folder: Path) -> list[str]:
    """Names of files, but of those that are not whole yet."""
    try:
        with os.scandir(folder) as found:
            return [one.name for one in found if one.is_file() and not is_staged(one.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _without_credentials(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


@lru_cache(maxsize=256)
def _local_backend(folder: str) -> ObjectStore:
    if Path(folder).is_file():
        raise NotADirectoryError(20, "Not a folder", folder)
    return LocalStore(folder, mkdir=True)


@lru_cache(maxsize=16)
def _remote_backend(
    root: str, options: tuple[tuple[str, str], ...], request_seconds: int, retry_seconds: int
) -> ObjectStore:
    config: dict[str, Any] = {}
    client: dict[str, Any] = {
        "connect_timeout": f"{min(request_seconds, 10)}s",
        "timeout": f"{request_seconds}s",
    }
    retries: Any = {"max_retries": 10, "retry_timeout": timedelta(seconds=retry_seconds)}
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in _TRUE:
        client["allow_http"] = True  # as deltalake does, so that one environment serves both
    for option, value in options:
        name = option.lower().removeprefix("aws_").removeprefix("azure_").removeprefix("google_")
        if name in _CLIENT_OPTIONS:
            if name.endswith("timeout") and request_seconds != _PATIENT[0]:
                continue  # a lease has its own
            client[name] = value.lower() in _TRUE if name.startswith("allow_") else value
        else:
            config[option.lower()] = value
    try:
        return from_url(root, config=config, client_options=client, retry_config=retries)  # type: ignore[call-overload, no-any-return]
    except (BaseError, ValueError) as error:
        raise ArgumentError(f"cannot use {root} with these storage_options: {error}") from error


def _repeated(ask: Callable[[], T]) -> T:
    """What a listing gives; asked again after a cut connection, which obstore passes on."""
    for pause in (0.2, 1.0, 3.0):
        began = time.monotonic()
        try:
            return ask()
        except BaseError as error:
            if not is_transient(error) or time.monotonic() - began > pause * 5:
                raise
        time.sleep(pause)
    return ask()


def _twice(ask: Callable[[], T]) -> T:
    """What a request gives that obstore does not repeat by itself after a time-out."""
    try:
        return ask()
    except BaseError as error:
        if not is_transient(error):
            raise
    return ask()


def _remove_tree(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        raise NotADirectoryError(20, "Not a folder", str(folder))
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():  # another process is deleting the same tree
            shutil.rmtree(folder, ignore_errors=True)
