"""TCP ports on the loopback interface."""

import socket
from contextlib import closing

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Another program has the port; the message names it."""


def find_free_port(preferred: int = 0) -> int:
    """Return `preferred` when nobody has it, else any port that is free now."""
    for port in (preferred, 0):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortTakenError(f"{HOST} has no free port left; end programs that hold many connections.")


def check_port(port: int) -> None:
    """Raise PortTakenError when the port cannot be listened on."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As servers do: connections of an earlier server that linger in TIME_WAIT are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTakenError(
                f"Port {port} on {HOST} cannot be used ({error.strerror}); stop the program that has it, "
                "or choose another port."
            ) from error
