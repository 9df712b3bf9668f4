"""Send a message through Airflow's Apprise notifier to whomever the connection `alerts` names."""

from __future__ import annotations

from typing import Any

from airflow.providers.apprise.hooks.apprise import AppriseHook
from airflow.providers.apprise.notifications.apprise import AppriseNotifier
from airflow.sdk.exceptions import AirflowNotFoundException
from apprise import Apprise, NotifyType
from apprise.result import NotifyResult

from open_orders.alert_texts import Message
from open_orders.errors import AlertError
from open_orders.masking import hide_address, hide_secrets, redact

CONNECTION = "alerts"
# For all receivers together, they are asked at once.
LIMIT_S = 10


class AlertNotifier(AppriseNotifier):
    """Airflow's Apprise notifier, which besides says who did not get the message: the provider's ignores the answer."""

    def __init__(self, message: Message, notify_type: NotifyType, apprise_conn_id: str = CONNECTION) -> None:
        super().__init__(
            title=message.title, body=message.body, notify_type=notify_type, apprise_conn_id=apprise_conn_id
        )
        self.missed: list[str] = []

    def notify(self, context: Any) -> None:  # noqa: ARG002 - as Airflow calls it
        """Send the message; raises AlertError when it reached nobody. `missed` has the others, each with the reason."""
        receivers = read_receivers(self.apprise_conn_id)
        result = receivers.notify(
            body=self.body,
            title=self.title or "",
            notify_type=self.notify_type,
            body_format=self.body_format,
            tag=self.tag,
            timeout=LIMIT_S,
        )
        self.missed = [_describe(receiver) for receiver in result.results if not receiver]
        if not result.success_count:
            raise AlertError("; ".join(self.missed) or f"no receiver of the connection {self.apprise_conn_id} fits")


def read_receivers(connection_id: str = CONNECTION) -> Apprise:
    """Return whom the connection names; raises AlertError when it can't be used."""
    hook = AppriseHook(connection_id)
    connection = hook.get_connection(connection_id)
    hide_secrets(connection)
    try:
        config = hook.get_config_from_conn(connection)
        services = config if isinstance(config, list) else [config]
        for service in services:
            hide_address(service["path"])
        receivers = Apprise()
        hook.set_config_from_conn(connection, receivers)
    except (KeyError, TypeError, ValueError) as error:
        raise AlertError(
            f"The connection {connection_id} can't be used ({type(error).__name__}): expected the type "
            'apprise and the extra {"config": [{"path": "a URL of Apprise"}]}'
        ) from None
    if len(receivers) < len(services):
        raise AlertError(
            f"The connection {connection_id} names {len(services)} receivers, of which Apprise takes "
            f"{len(receivers)}: check their addresses"
        )
    return receivers


def has_receivers(connection_id: str = CONNECTION) -> bool:
    """Return whether anybody wants to be told: whether there is a connection of that name."""
    try:
        AppriseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        return False
    return True


def send(message: Message, *, broken: bool) -> list[str]:
    """Send a message and return who did not get it, each with the reason; raises AlertError when nobody did."""
    notifier = AlertNotifier(message, NotifyType.FAILURE if broken else NotifyType.SUCCESS)
    # Not by calling the notifier: that swallows errors, and renders what an ERP said as a Jinja template.
    notifier.notify({})
    return notifier.missed


def _describe(receiver: NotifyResult) -> str:
    reasons = [entry.message.strip() for entry in receiver.logs()]
    return redact(f"{receiver.name}: {reasons[-1] if reasons else receiver.status.name.lower()}")
