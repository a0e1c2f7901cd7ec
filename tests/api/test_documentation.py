"""The OpenAPI document and the page that shows it: true, complete, and there without the internet."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.fixtures.calls import create
from tests.house.source import ROOT
from tocsin.controllers.v1.fields import NOTIFICATION_EXAMPLE, USER_EXAMPLE

PROTECTED = "/api/"


@pytest.fixture
async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    response = await client.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    return dict(response.json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and of alternatives the first."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema and "examples" not in schema:
            schema = schema["anyOf"][0]
        else:
            return schema


def body_examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return [
        example for media in content.values() for example in resolved(document, media["schema"]).get("examples", [])
    ]


async def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    jsonschema_rs.validator_for(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert len(references) > 10
    assert references <= document["components"]["schemas"].keys()


async def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for *_, operation in operations(document)]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)
    tags = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert operation["summary"], f"{method} {path}"
        assert operation["description"], f"{method} {path}"
        assert set(operation["tags"]) <= tags


async def test_links_lead_to_operations_that_there_are(document: dict[str, Any]) -> None:
    names = {operation["operationId"] for *_, operation in operations(document)}
    links = [
        link["operationId"]
        for *_, operation in operations(document)
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert len(links) > 5
    assert set(links) <= names


async def test_every_problem_is_declared_as_one_and_as_nothing_else(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
        if path.startswith(PROTECTED):
            assert {"401", "403", "500", "503"} <= operation["responses"].keys()
            assert "Retry-After" in operation["responses"]["503"]["headers"]
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys()


async def test_every_problem_has_an_example_of_its_own_status(document: dict[str, Any]) -> None:
    root = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    fits = jsonschema_rs.validator_for(root)
    told = set(re.findall(r"^\| (\d{3}) \| `(\w+)`", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE))
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values() if status >= "400" else ():
                example = media["example"]
                fits.validate(example)
                assert example["status"] == int(status), f"{method} {path}"
                assert (status, example["code"]) in told, f"{method} {path}"
                assert ("violated-policies" in example) == (status == "429"), f"{method} {path}"
                assert example["instance"].startswith(path.partition("{")[0]), f"{method} {path}"
                assert "{" not in example["instance"], f"{method} {path}"


async def test_paths_are_filled_in_where_they_are_tried(document: dict[str, Any]) -> None:
    """Swagger UI takes the example of a parameter, and not those of its schema."""
    filled = [
        parameter["example"]
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "path"
    ]

    assert len(filled) > 10
    assert set(filled) == {USER_EXAMPLE, NOTIFICATION_EXAMPLE}


async def test_the_call_that_does_not_end_says_so_and_how_to_try_it(document: dict[str, Any]) -> None:
    (told,) = [operation["description"] for _, path, operation in operations(document) if path.endswith("/events")]

    assert "does not end" in told
    assert "curl -N" in told


async def test_the_head_links_to_a_call_that_there_is(document: dict[str, Any]) -> None:
    links = re.findall(r"\]\(#/(\w+)/(\w+)\)", document["info"]["description"])

    assert links
    calls = {(operation["tags"][0], operation["operationId"]) for *_, operation in operations(document)}
    assert set(links) <= calls


async def test_the_credential_is_declared_where_it_is_asked_for(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for method, path, operation in operations(document):
        protected = operation.get("security") == [{"bearer": []}]
        assert protected is path.startswith(PROTECTED), f"{method} {path}"


async def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    seen = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            root = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            jsonschema_rs.validator_for(root, validate_formats=True).validate(example)
            seen += 1
    assert seen >= 5


async def test_every_request_example_can_be_sent_as_it_is(api: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where: dict[str, str] = {}
        query: dict[str, str] = {}
        for parameter in operation.get("parameters", []):
            examples = resolved(document, parameter["schema"]).get("examples", [])
            if parameter["in"] == "path":
                assert examples, f"{path} needs an example of {parameter['name']}"
                where[parameter["name"]] = examples[0]
            elif examples and parameter["in"] == "query":
                query[parameter["name"]] = str(examples[0])
        bodies = body_examples(document, operation)
        assert bodies or "requestBody" not in operation, f"{method} {path} needs an example"
        for body in bodies or [None]:
            if "notification_id" in where:
                # Ids are given out by the service: this is the one thing that a reader must fill in.
                where["notification_id"] = (await create(api))["id"]
            # HEAD ends where a stream goes on for ever.
            tried = "HEAD" if path.endswith("/events") else method
            response = await api.request(tried, path.format(**where), params=query, json=body)
            assert response.status_code < 300, f"{method} {path} {body}: {response.text}"


async def test_the_page_needs_nothing_from_anywhere_else(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")

    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    links += re.findall(r'url: "([^"]+)"', (await client.get("/docs/start.js")).text)

    assert len(links) >= 5
    for link in links:
        assert "//" not in link, "it must be a file of ours"
        response = await client.get(f"/{link}")
        assert response.status_code == 200, link
        assert response.content, link
    assert not re.search(r"<script>|<style|\son\w+=|style=", page.text), "a strict policy forbids inline code"
    styles = (await client.get("/docs/assets/swagger-ui.css")).text
    assert not re.search(r"@import|url\((?!['\"]?data:)", styles)


async def test_the_scripts_of_the_page_have_their_types(client: httpx2.AsyncClient) -> None:
    for path, kind in (
        ("/docs/start.js", "text/javascript"),
        ("/docs/assets/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/assets/swagger-ui.css", "text/css"),
    ):
        response = await client.get(path)
        assert response.headers["Content-Type"].startswith(kind), path
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_calls_with_a_limit_promise_the_headers_that_tell_of_it(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        limited = path.startswith(PROTECTED)
        assert ("429" in operation["responses"]) == limited, (method, path)
        for status, response in operation["responses"].items():
            told = "RateLimit" in response.get("headers", {})
            assert told == (limited and status not in {"401", "403", "500", "503"}), (method, path, status)
