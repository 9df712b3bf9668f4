"""Programs that no Python package carries: found, or installed from Debian's packages where that is possible."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from sandbox.progress import announce

# Another apt-get may be at work; it is waited for.
LOCK_TIMEOUT_S = 120


class ProgramMissingError(Exception):
    """There is no such program, and it can't be installed from here."""


def find_program(names: Sequence[str], package: str, what: str) -> str:
    """Return the path of the first of these programs; on Debian, as root, installs the package if there is none.

    `what` says to a person what it is. Raises ProgramMissingError.
    """
    if found := _look_for(names):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with announce(f"{what} (apt-get install {package})"):
            _install(package)
        if found := _look_for(names):
            return found
    raise ProgramMissingError(
        f"{what} is needed, and none of {', '.join(names)} is in the PATH. "
        f"On Debian or Ubuntu: apt-get install {package}"
    )


def _look_for(names: Sequence[str]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _install(package: str) -> None:
    for command in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        subprocess.run(
            ["apt-get", "--quiet", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT_S}", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=True,
            stdout=subprocess.DEVNULL,
        )
