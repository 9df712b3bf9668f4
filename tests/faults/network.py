"""Machines of a plant: network namespaces that reach the plant, and each other, over a bridge of their own."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from sandbox.debian import find_program

# What a container's root may lack: CAP_NET_ADMIN and CAP_SYS_ADMIN (capabilities(7)).
CAPABILITIES = 1 << 12 | 1 << 21
# Private addresses; the third number is the network's.
ADDRESS = "10.213.{network}.{machine}"
NETWORKS = range(256)


def can_make_networks() -> bool:
    """Whether this process may make network namespaces."""
    status = Path("/proc/self/status")
    held = re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE) if status.exists() else None
    allowed = held is not None and int(held[1], 16) & CAPABILITIES == CAPABILITIES
    return os.geteuid() == 0 and allowed


class Network:
    """A bridge on this machine, with an address on which the plant's servers listen.

    Another network on the same machine takes another number.
    """

    def __init__(self) -> None:
        self.number = -1
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        find_program(["ip"], "iproute2", "ip, the command that makes networks,")
        self.number = next(number for number in NETWORKS if _try_ip("link", "add", f"plant{number}", "type", "bridge"))
        self._cleanup.callback(_ip, "link", "delete", self.bridge)
        with ExitStack() as failed:
            failed.callback(self._cleanup.close)
            _ip("address", "add", f"{self.address}/24", "dev", self.bridge)
            _ip("link", "set", self.bridge, "up")
            failed.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def bridge(self) -> str:
        return f"plant{self.number}"

    @property
    def address(self) -> str:
        return ADDRESS.format(network=self.number, machine=1)

    def connect(self, machine: int) -> Cable:
        """Make a namespace, and a cable that connects it to the bridge."""
        address = ADDRESS.format(network=self.number, machine=machine)
        cable = Cable(f"{self.bridge}-{machine}", address)
        _ip("netns", "add", cable.namespace)
        self._cleanup.callback(_ip, "netns", "delete", cable.namespace)
        # A namespace takes its end along some time after it was deleted, and the name has to be free at once.
        self._cleanup.callback(_try_ip, "link", "delete", cable.namespace)
        _ip("link", "add", cable.namespace, "type", "veth", "peer", "name", "eth0", "netns", cable.namespace)
        _ip("link", "set", cable.namespace, "master", self.bridge, "up")
        _ip("-n", cable.namespace, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", cable.namespace, "link", "set", "eth0", "up")
        _ip("-n", cable.namespace, "link", "set", "lo", "up")
        return cable


class Cable:
    """The connection between the bridge and a namespace; at the bridge it has the namespace's name."""

    def __init__(self, namespace: str, address: str) -> None:
        self.namespace = namespace
        self.address = address

    def pull(self) -> None:
        """Let nothing through any more. No connection is closed by that; each side waits for the other."""
        _ip("link", "set", self.namespace, "down")

    def plug(self) -> None:
        """Let everything through again; does nothing when it does."""
        _ip("link", "set", self.namespace, "up")

    def enter(self, command: list[str]) -> list[str]:
        """Return the command that runs this one inside, as a machine of its own.

        It has a process table of its own, so that whatever it starts dies with it, and its address for a name, which
        nobody has to look up.
        """
        boot = f'hostname {self.address} && exec "$@"'
        machine = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", boot, "sh"]
        return ["ip", "netns", "exec", self.namespace, *machine, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _try_ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], check=False, stderr=subprocess.DEVNULL).returncode == 0
