"""The service held against its own OpenAPI document, by generated requests.

What Schemathesis checks: no 5xx, every status, content type, header and schema as declared, wrong input refused, right
input taken, no call without a credential, wrong methods refused, nothing there any more once it was deleted. A stream
of events has no end, and tests of its own.
"""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, CheckFunction
from schemathesis.core.transport import Response
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fixtures.live import LiveServer
from tocsin.bootstrap import Resources
from tocsin.controllers.app import create_app

# Texts that fit but that the service did not issue, or that were used for something else: no schema can tell.
UNKNOWABLE = {"invalid_cursor", "invalid_position", "idempotency_key_reused", "search_missing"}

document = schemathesis.openapi.from_dict(
    create_app(cast("AbstractAsyncContextManager[Resources]", nullcontext()), 0).openapi(),
    config=schemathesis.Config.from_dict({"seed": 1, "generation": {"deterministic": True, "max-examples": 25}}),
)


class _Server:
    """Calls the server and validates what it answers."""

    def __init__(self, server: LiveServer) -> None:
        self.headers = {"Authorization": f"Bearer {server.service_key}"}
        self.options: dict[str, Any] = {"base_url": server.url, "headers": self.headers}

    def call(self, case: Case[Any]) -> Response:
        # Nothing is analysed here, so whoever waits waits to the end.
        if isinstance(case.query.get("wait"), int | float):
            case.query["wait"] = min(case.query["wait"], 0.01)
        return case.call(**self.options)

    def validate(self, response: Response, case: Case[Any], walked: ScenarioRecorder | None = None) -> None:
        code = response.json()["code"] if response.status_code in {400, 422} else None
        excluded: list[CheckFunction] | None = [positive_data_acceptance] if code in UNKNOWABLE else None
        case.validate_response(response, excluded_checks=excluded, headers=self.headers, transport_kwargs=self.options)


@document.exclude(operation_id="streams_listen").parametrize()
@pytest.mark.timeout(180)
def test_every_answer_is_one_that_the_document_promises(case: Case[Any], live_server: LiveServer) -> None:
    server = _Server(live_server)
    server.validate(server.call(case), case)


@pytest.mark.timeout(180)
def test_so_is_every_answer_along_the_links_from_one_to_another(live_server: LiveServer) -> None:
    server = _Server(live_server)

    class Walk(document.as_state_machine()):  # type: ignore[misc]  # made from the document
        def call(self, case: Case[Any], **_: object) -> Response:
            return server.call(case)

        def validate_response(self, response: Response, case: Case[Any], **_: object) -> None:
            server.validate(response, case, self.recorder)

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=30,
            stateful_step_count=10,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
