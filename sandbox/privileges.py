"""Run a program of root's as an ordinary user, below directories that are closed to that user."""

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

# Debian's PostgreSQL user, if its package is there, else the user that every Unix has.
USERS = ("postgres", "nobody")


class PrivilegesError(Exception):
    """The program cannot be run as an ordinary user; the message says what is missing."""


def give_away(directory: Path) -> None:
    """Make an ordinary user the owner of the directory when this process is root; else do nothing."""
    if os.geteuid() != 0:
        return
    for name in USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(directory, user.pw_uid, user.pw_gid)
        return
    raise PrivilegesError(
        f"PostgreSQL does not run as root, and this machine has none of the users {', '.join(USERS)}; "
        "run this as an ordinary user, or create one of them."
    )


def run_as_owner(directory: Path, command: Sequence[str]) -> list[str]:
    """Return the command that runs as the directory's owner when this process is root, else the command itself.

    The directories above (the repository may lie in /root) need not be open to the owner: the program keeps the one
    capability that passes through them.
    """
    if os.geteuid() != 0:
        return list(command)
    owner = directory.stat()
    if owner.st_uid == 0:
        raise PrivilegesError(
            f"{directory} belongs to root, and PostgreSQL does not run as root; "
            "remove the directory, or give it to an ordinary user with chown -R."
        )
    if shutil.which("setpriv") is None:
        raise PrivilegesError("Running PostgreSQL from root needs setpriv (Debian package util-linux).")
    return [
        "setpriv",
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        # access(2), with which initdb looks for its programs, counts the capability only with this bit.
        "--securebits=+no_setuid_fixup",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
        "--no-new-privs",
        *command,
    ]
