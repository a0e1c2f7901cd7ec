"""Generated requests with every kind of credential: none breaks the service, none reads or changes another's inbox."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import schemathesis
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fixtures.live import LiveServer
from tocsin.bootstrap import Resources
from tocsin.controllers.app import create_app

MARK = "sesame"
OF_ITSELF = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

document = schemathesis.openapi.from_dict(
    create_app(cast("AbstractAsyncContextManager[Resources]", nullcontext()), 0).openapi(),
    config=schemathesis.Config.from_dict(
        {
            "seed": 1,
            "generation": {"deterministic": True, "max-examples": 6},
            # The same for every credential, and tried with one that may do all in test_against_openapi.
            "phases": {"coverage": {"enabled": False}},
        }
    ),
)


@dataclass(frozen=True)
class Victim:
    """An inbox, one notification in it, its version, and credentials that are not its user's."""

    user_id: str
    notification_id: str
    version: int
    credentials: Mapping[str, str | None]


def _ask(server: LiveServer, method: str, path: str, body: object = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.service_key}", "Content-Type": "application/json"}
    request = Request(f"{server.url}/api/v1{path}", json.dumps(body).encode() if body else None, headers, method=method)
    with urlopen(request, timeout=10) as response:
        return dict(json.load(response))


@pytest.fixture(scope="module")
def victim(live_server: LiveServer) -> Victim:
    user_id, other = str(uuid4()), str(uuid4())
    draft = {"user_id": user_id, "title": MARK, "text": MARK, "source": MARK, "data": {MARK: MARK}}
    token = _ask(live_server, "POST", f"/inboxes/{other}/tokens")["token"]
    return Victim(
        user_id,
        _ask(live_server, "POST", "/notifications", draft)["id"],
        _version(live_server, user_id),
        {
            "none": None,
            "garbage": "Bearer \u00ff\u00fe",
            "another user": f"Bearer {token}",
            "a token for streams": f"Bearer {_ask(live_server, 'POST', f'/inboxes/{user_id}/stream-tokens')['token']}",
        },
    )


def _version(server: LiveServer, user_id: str) -> int:
    return int(_ask(server, "GET", f"/inboxes/{user_id}")["version"])


@pytest.mark.parametrize("kind", ["none", "garbage", "another user", "a token for streams"])
@document.exclude(operation_id="streams_listen").parametrize()
def test_nobody_reads_or_changes_the_inbox_of_another(
    case: Case[Any], kind: str, victim: Victim, live_server: LiveServer
) -> None:
    for parameter, value in (("user_id", victim.user_id), ("notification_id", victim.notification_id)):
        if parameter in case.path_parameters:
            case.path_parameters[parameter] = value
    if isinstance(case.query.get("wait"), int | float):
        case.query["wait"] = 0.01
    credential = victim.credentials[kind]
    headers = {"Authorization": credential.encode("latin-1")} if credential else {}

    response = case.call(base_url=live_server.url, headers=headers)

    assert MARK not in response.text
    case.validate_response(response, checks=OF_ITSELF)
    assert _version(live_server, victim.user_id) == victim.version
