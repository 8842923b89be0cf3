"""Whether a folder whose files are loaded as code can be written by other users."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["find_intruder"]


def find_intruder(folder: Path) -> str:
    """What would let another user put files into a folder or swap it; "" if nothing does.

    Everything on the way to the folder counts: whoever may rename one of its parents can put
    another folder in its place. A parent with the sticky bit, such as ``/tmp``, is safe, because
    what belongs to the user cannot be renamed there by others.

    Parameters
    ----------
    folder
        An existing folder without symbolic links in its path, as ``Path.resolve`` gives it.

    Examples
    --------
    >>> find_intruder(Path("/"))
    ''
    """
    if not hasattr(os, "getuid"):
        return ""  # Windows: folders of a user are not writable for others
    for number, one in enumerate((folder, *folder.parents)):
        found = one.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return f"{one} is no folder"
        if found.st_uid not in {0, os.getuid()}:
            return f"{one} belongs to another user"
        if _others_may_write(found) and (number == 0 or not found.st_mode & stat.S_ISVTX):
            return f"{one} can be written by other users"
    return ""


def _others_may_write(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private(found.st_gid)


def _is_private(group: int) -> bool:
    """Whether a group is the user's own, as many systems make one for each user (umask 002)."""
    import grp
    import pwd

    try:
        name, members = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return members.gr_name == name and not set(members.gr_mem) - {name}
