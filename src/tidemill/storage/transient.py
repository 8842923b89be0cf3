"""Errors of storage: translated to one family, and whether a retry makes sense."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from tidemill.errors import ResourceError, TidemillError
from tidemill.storage.outages import noted

__all__ = ["is_transient", "translated"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TRANSIENT = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EPIPE,
    }
)
_PERMANENT = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
#: Free inodes of a disk that has run out of them, since each thread may just have freed some.
_FEW_INODES = 32
#: A document in XML that a store answered; cut short, it goes to the end.
_ANSWER = re.compile(r"(<\?xml[^>]*>\s*)?<Error\b.*?(</Error>|\Z)", re.DOTALL)
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# Words in messages of object_store and deltalake, which have no error class for these.
_NETWORK = re.compile(
    r"HTTP error|error sending request|error decoding response|connection|timed? ?out"
    r"|status code: (5\d\d|408|429)|Server returned error|SlowDown|throttl|TooManyRequests"
    r"|RequestTimeout|dns error",
    re.IGNORECASE,
)
#: The metadata service of cloud machines, where credentials are looked for last.
_NO_CREDENTIALS = re.compile(r"169\.254\.\d+\.\d+/.*status code: 4\d\d", re.DOTALL)
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed on a retry.

    True for network failures, timeouts, throttling, 5xx answers and stale file handles; False for
    missing files, missing permissions, a full disk, and all of tidemill's own errors.

    Examples
    --------
    >>> is_transient(ConnectionResetError()), is_transient(OSError(errno.ESTALE, "Stale"))
    (True, True)
    >>> is_transient(FileNotFoundError("x")), is_transient(OSError(errno.ENOSPC, "No space"))
    (False, False)
    >>> is_transient(ResourceError("disk full")), is_transient(ValueError("timeout"))
    (False, False)
    """
    if isinstance(error, (TidemillError, *_PERMANENT, PermissionDeniedError, UnauthenticatedError)):
        return False
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _TRANSIENT
    if isinstance(error, (OSError, BaseError)) or _is_deltalake(error):
        return _text_is_transient(str(error))
    return False


@contextmanager
def translated(url: str, needed: int | None = None) -> Iterator[None]:
    """Turn errors of a store call into ``OSError``, one of its subclasses, or ``ResourceError``.

    ``needed`` is the number of bytes to write, for the message about a full disk.

    What an object store answered is left out, but for its code and sentence, of the client's error
    as well: S3 repeats the key's id, and what was signed with it.
    """
    with noted(url), _as_one_family(url, needed):
        yield


@contextmanager
def _as_one_family(url: str, needed: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _leave_out_answer(error)
        if (found := _unwritable(error.errno, url, needed)) is not None:
            raise found from error
        if error.errno is None and isinstance(error, FileNotFoundError):
            raise _missing(url, str(error)) from error
        if error.errno is None and type(error) is OSError:  # of deltalake
            raise _from_text(str(error), url, needed) from error
        raise
    except BaseError as error:
        _leave_out_answer(error)
        raise _as_os_error(error, url, needed) from error
    except Exception as error:
        if _is_deltalake(error):
            _leave_out_answer(error)
        raise


def _leave_out_answer(error: Exception) -> None:
    """Change the error itself: causes and contexts are stored with what follows from them."""
    error.args = tuple(
        _without_answer(one.partition("\n\nDebug source")[0]) if isinstance(one, str) else one
        for one in error.args
    )


def _unwritable(number: int | None, url: str, needed: int | None) -> Exception | None:
    """The error for a full, read-only or forbidden folder; None for any other number."""
    if number in _FULL:
        return disk_full(url, needed)
    if number == errno.EROFS:
        return ResourceError(
            f"{url} cannot be written, because its file system is read-only; make it writable or "
            "choose another place, then run again (finished parts are kept)"
        )
    return None


def disk_full(url: str, needed: int | None) -> ResourceError:
    """The error for a full disk, with the folder and what is free: bytes, inodes or the quota."""
    folder = _existing_folder(url)
    usage = shutil.disk_usage(folder)
    wanted = f"{needed:,} bytes were to be written" if needed else "a file was being written"
    free = f"{usage.free:,} of {usage.total:,} bytes are free"
    if usage.free > 2 * (needed or 0) + 2**20:
        quota = f"{free}, so a quota or the largest size of a file may be reached"
        free = _inodes_used(folder) or quota
    return ResourceError(
        f"no space left in {folder}: {wanted} to {url}, {free}; make room or choose another place, "
        "then run again (finished parts are kept)"
    )


def _inodes_used(folder: Path) -> str:
    """How many inodes are used, if hardly any is free; otherwise nothing.

    A few may be free by now: other threads delete their unfinished files when the disk fails.
    """
    found = os.statvfs(folder) if hasattr(os, "statvfs") else None
    if found is None or not found.f_files or found.f_favail > _FEW_INODES:
        return ""
    used = found.f_files - found.f_favail
    return f"{used:,} of its {found.f_files:,} inodes are used, so no more files can be made"


def _existing_folder(url: str) -> Path:
    path = Path(url)
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))


def _as_os_error(error: BaseError, url: str, needed: int | None) -> Exception:
    text = str(error)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return PermissionError(errno.EACCES, f"Access denied ({text})", url)
    if _NO_CREDENTIALS.search(text):
        return PermissionError(
            errno.EACCES,
            "No credentials were found; set the object store's environment variables, or name "
            "others in storage_options",
            url,
        )
    if _NO_BUCKET.search(text):
        return _missing(url, text)
    return _from_text(text, url, needed)


def _from_text(text: str, url: str, needed: int | None) -> Exception:
    if found := _OS_ERROR.search(text):
        number = int(found[1])
        return _unwritable(number, url, needed) or OSError(number, os.strerror(number), url)
    flat = _flat(text)
    return ConnectionError(_unanswered(flat, url)) if _text_is_transient(flat) else OSError(flat)


def _without_answer(text: str) -> str:
    """A message without the document that a store answered, but for its code and sentence.

    Examples
    --------
    >>> _without_answer("403: <Error><Code>No</Code><Message>Wrong.</Message><Key>k</Key></Error>")
    '403: <Code>No</Code> Wrong.'
    """
    return _ANSWER.sub(_code_and_sentence, text)


def _code_and_sentence(answer: re.Match[str]) -> str:
    code = re.search(r"<Code>\w+</Code>", answer[0])
    sentence = re.search(r"<Message>([^<]*)</Message>", answer[0])
    return " ".join([*([code[0]] if code else []), *([sentence[1]] if sentence else [])])


def _flat(text: str) -> str:
    """A message of deltalake, which colours it and draws arrows, on one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|\u21b3", " ", text).split())


def _unanswered(text: str, url: str) -> str:
    """The sentence for a storage that does not answer, or with an error of its own."""
    server = re.search(r"https?://([^/\s]+)", text)
    status = re.search(r"status code:? (\d{3}[^:<]*)", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    tries = re.search(r"after (\d+) retries", text)
    why = status[1].strip() if status else text.rpartition(" - ")[2].removeprefix("HTTP error: ")
    return (
        f"the storage{f' at {server[1]}' if server else ''} gave no good answer for {url}: {why}"
        f"{f' ({code[1]})' if code else ''}{f', after {tries[1]} retries' if tries else ''}; "
        "finished parts are kept, so run again once it answers"
    )


def _missing(url: str, text: str) -> FileNotFoundError:
    what = "The bucket does not exist" if _NO_BUCKET.search(text) else os.strerror(errno.ENOENT)
    return FileNotFoundError(errno.ENOENT, what, url)


def _text_is_transient(text: str) -> bool:
    if found := _OS_ERROR.search(text):
        return int(found[1]) in _TRANSIENT
    return _NETWORK.search(text) is not None


def _is_deltalake(error: BaseException) -> bool:
    return type(error).__module__ in {"_internal", "deltalake._internal", "deltalake.exceptions"}
