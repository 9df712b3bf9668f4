"""Check that alerts would reach somebody: a message is sent only when that is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from open_orders.alert_delivery import CONNECTION, has_receivers, read_receivers, send
from open_orders.alert_texts import Message
from open_orders.check.findings import Finding, failed, good, note
from open_orders.errors import AlertError

TEST = Message("Test of the alerts", "bin/check sent this to see whether alerts arrive. Nothing is wrong.")
EXPECTED = 'The type apprise, and the extra {"config": [{"path": "an address of Apprise"}]}'
REMEDY = "Check its address and token, and that this machine may reach it"


def check_receivers(*, try_them: bool) -> Iterator[Finding]:
    """Check the connection that names the receivers, and each of them if it is to be tried."""
    if not has_receivers():
        yield note(
            f"No Airflow connection {CONNECTION}: nobody is told when a job breaks",
            f"Add it (Admin, Connections). {EXPECTED}",
        )
        return
    try:
        # An address holds the receiver's token or password: only the service's name is shown.
        names = [str(receiver.service_name) for receiver in read_receivers()]
    except AlertError as error:
        yield failed(str(error), EXPECTED)
        return
    if not try_them:
        yield note(f"Alerts go to: {', '.join(names)}", "Not tried. With --send-test-alert each is sent a message")
        return
    try:
        missed = send(TEST, broken=False)
    except AlertError as error:
        yield failed(f"The test message reached nobody: {error}", REMEDY)
        return
    yield from (failed(f"The test message did not reach {reason}", REMEDY) for reason in missed)
    yield good(f"{len(names) - len(missed)} of {len(names)} receivers took a test message: see that it arrives")
