"""The Celery application, as producer and as worker."""

from typing import Any, Final

from celery import Celery

from tocsin.integrations.celery_transport import TRANSPORT

ANALYSE_TASK: Final = "tocsin.analyse"
QUEUE: Final = "tocsin.analysis"
MAX_IDS_PER_MESSAGE: Final = 64


def make_celery(broker_url: str, *, connect_timeout: float, read_timeout: float | None) -> Celery:
    """Return an application on ``broker_url``; no result backend, since results live with their notification.

    ``read_timeout`` None suits a consumer, whose reads wait for messages.
    """
    transport: dict[str, Any] = {
        "socket_connect_timeout": connect_timeout,
        "socket_keepalive": True,
        # The lease gives work back, so Redis need not keep a copy of each message until it is taken.
        "ack_emulation": False,
    }
    if read_timeout is not None:
        transport |= {"socket_timeout": read_timeout, "retry_on_timeout": False}
    app = Celery("tocsin", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # The lease, not Redis, gives work back: a message is done with when it is taken.
        task_acks_late=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=connect_timeout,
        broker_transport=TRANSPORT,
        broker_transport_options=transport,
    )
    return app
