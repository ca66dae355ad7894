"""Extended attributes of files and folders that a change replaces, POSIX ACLs among them.

They are read and set through open descriptors only: by its path, a folder that is swapped for a
link would lend a person's file the attributes of one of root's. What gives a privilege is never
read: capabilities and labels (`security.`), and what only root may set (`trusted.`).
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from collections.abc import Mapping

from workers.files.failures import changed_meanwhile
from workers.files.manifest import ALL_BITS, Entry, entry_of
from workers.files.tree import Tree

_ACLS = frozenset({"system.posix_acl_access", "system.posix_acl_default"})
_PRIVILEGED = ("security.", "trusted.")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def attributes_of_file(tree: Tree, path: str, entry: Entry) -> dict[str, str]:
    """Return the attributes of the file that `entry` describes, in base64.

    Type, status, content and attributes are read through one descriptor. Raises `sync_failed` if
    the file at the path is no longer the one of the entry.
    """
    folder, name = tree.split(path)
    file = os.open(name, _OPEN, dir_fd=folder)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or entry_of(status, entry.digest, ALL_BITS) != entry:
            raise changed_meanwhile(tree.absolute(path))
        attributes = read_attributes(file)
        if attributes:
            with os.fdopen(os.dup(file), "rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != entry.digest:
                    raise changed_meanwhile(tree.absolute(path))
        return attributes
    finally:
        os.close(file)


def read_attributes(handle: int) -> dict[str, str]:
    """Return the attributes of an open file or folder, in base64, without privileged ones."""
    try:
        names = os.listxattr(handle)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    values = {n: os.getxattr(handle, n) for n in names if not n.startswith(_PRIVILEGED)}
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


def set_attributes(handle: int, attributes: Mapping[str, str]) -> None:
    """Give an open file or folder the extended attributes of the one that it replaces.

    An ACL inherited from the folder is removed. Set the mode afterwards, since an ACL changes it.
    Skipped are privileged attributes (records of earlier versions have them), those that the
    process may not set, and those that the filesystem does not have.
    """
    try:
        inherited = _ACLS.intersection(os.listxattr(handle)) - attributes.keys()
        for name in inherited:
            os.removexattr(handle, name)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    for name, value in attributes.items():
        if not name.startswith(_PRIVILEGED):
            try:
                os.setxattr(handle, name, base64.b64decode(value))
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM):
                    raise
