"""What the proxy refuses, hides and tells, and its ways of being set up."""

import json
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api, new_user
from tests.fixtures.streams import TRANSPORTS
from tests.waiting import eventually
from tocsin.embedded.ports import find_free_port

Json = dict[str, Any]


@contextmanager
def another_proxy(stack: Stack, *options: str, port: int = 8080, network: str = "front") -> Iterator[int]:
    """Run a second one beside the first, and return where it is."""
    published = find_free_port("127.0.0.1")
    image = stack.inspect(stack.id("proxy"))["Config"]["Image"]
    where = ("--network", f"{stack.name}_{network}", "--publish", f"127.0.0.1:{published}:{port}")
    with stack.running(image, *where, *options):
        yield published


@pytest.fixture(scope="module")
def mirror(stack: Stack) -> Iterator[str]:
    """A network where a server that answers with what it was sent stands for the API."""
    network = "mirror"
    image = stack.inspect(stack.id("api"))["Image"]
    where = ("--network", f"{stack.name}_{network}", "--network-alias", "api", "--entrypoint", "python")
    stack.docker("network", "create", f"{stack.name}_{network}")
    try:
        with stack.running(image, *where, command=("-c", _MIRROR)):
            yield network
    finally:
        stack.docker("network", "rm", f"{stack.name}_{network}")


_MIRROR = """
import http.server, json
class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Mirror).serve_forever()
"""


async def answers(http: httpx2.AsyncClient, url: str) -> None:
    async def probe() -> bool:
        try:
            return (await http.get(url)).status_code == 200
        except httpx2.TransportError:
            return False

    await eventually(probe, 30, every=0.2)


def told(stack: Stack) -> list[Json]:
    """Return what the proxy has logged of requests."""
    lines = stack.logs("--no-log-prefix", "proxy").splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"event": "proxied"')]


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "/metrics?name=x"])
async def test_metrics_are_not_for_the_world(path: str, url: str, http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"{url}{path}")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(
    url: str, key: str, http: httpx2.AsyncClient
) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    answer = await http.post(f"{url}/api/v1/notifications/batch", headers=headers, content=b" " * (8 * 2**20 + 1))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


async def test_headers_beyond_the_limit_are_refused(url: str, http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"{url}/livez", headers={"X-Long": "x" * 20_000})).status_code == 400


async def test_the_log_has_the_id_of_the_request_and_no_query(stack: Stack, url: str, http: httpx2.AsyncClient) -> None:
    token, mark = secrets.token_hex(8), secrets.token_hex(8)

    answer = await http.get(f"{url}/{mark}?token={token}")

    async def probe() -> list[Json]:
        return [line for line in told(stack) if line["path"] == f"/{mark}"]

    (line,) = await eventually(probe, 30, every=0.2)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["status"] == 404
    assert token not in stack.logs()


async def test_an_id_that_the_client_gave_is_kept(url: str, http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"{url}/livez", headers={"X-Request-ID": "given-by-me"})

    assert answer.headers["x-request-id"] == "given-by-me"


async def test_under_a_sub_path_everything_is_below_it(stack: Stack, key: str, http: httpx2.AsyncClient) -> None:
    with another_proxy(stack, "--env", "PROXY_PREFIX=/inbox") as port:
        root = f"http://127.0.0.1:{port}"
        url, user = f"{root}/inbox", new_user()
        await answers(http, f"{url}/livez")

        assert (await http.get(f"{root}/livez")).status_code == 404
        assert (await http.get(f"{root}/inboxes")).status_code == 404
        assert (await http.get(url)).headers["location"] == "/inbox/"
        assert (await http.get(f"{url}/metrics")).status_code == 404
        assert (await http.get(f"{url}/", follow_redirects=True)).status_code == 200
        created = await Api(http, url, key).try_create(user, "an error")
        assert created.status_code == 201
        where = created.headers["location"]
        assert where.startswith("/inbox/api/v1/notifications/")
        headers = {"Authorization": f"Bearer {key}"}
        assert (await http.get(f"{root}{where}", headers=headers)).json()["id"] == created.json()["id"]
        for transport in TRANSPORTS.values():
            async with transport(url, user, key) as stream:
                assert (await stream.next())["type"] == "hello"


_SAID = {
    "X-Forwarded-For": "192.0.2.1, 192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "inbox.example.org",
    "X-Forwarded-Prefix": "/elsewhere",
    "Forwarded": "for=192.0.2.1",
}
"""What a client says of itself, or a proxy of its client."""


async def forwarded(http: httpx2.AsyncClient, url: str, **headers: str) -> dict[str, list[str]]:
    """Return what the API is told of where a call came from, by name."""
    answer = await http.get(url, headers=headers)
    told: dict[str, list[str]] = {}
    for name, value in answer.json():
        if "forwarded" in name:
            told.setdefault(name, []).append(value)
    return told


async def test_a_client_is_not_believed_what_it_says_of_itself(
    stack: Stack, mirror: str, http: httpx2.AsyncClient
) -> None:
    with another_proxy(stack, network=mirror) as port:
        url = f"http://127.0.0.1:{port}"
        await answers(http, f"{url}/livez")
        told = await forwarded(http, url, **_SAID)

    assert told == {
        "x-forwarded-for": [stack.host(mirror)],
        "x-forwarded-proto": ["http"],
        "x-forwarded-host": [f"127.0.0.1:{port}"],
    }


async def test_a_proxy_that_is_known_is_believed_what_it_says_of_its_clients(
    stack: Stack, mirror: str, http: httpx2.AsyncClient
) -> None:
    known = ("--env", f"PROXY_TRUSTED=192.0.2.200 {stack.host(mirror)}/32")
    with another_proxy(stack, *known, network=mirror) as port:
        url = f"http://127.0.0.1:{port}"
        await answers(http, f"{url}/livez")
        # By the same connection, as a proxy carries calls of many clients.
        told = [await forwarded(http, url, **(_SAID | {"X-Forwarded-For": f"192.0.2.1, 192.0.2.{n}"})) for n in (7, 8)]
        silent = await forwarded(http, url)

    assert told == [
        {
            "x-forwarded-for": [f"192.0.2.{number}"],
            "x-forwarded-proto": ["https"],
            "x-forwarded-host": ["inbox.example.org"],
        }
        for number in (7, 8)
    ]
    assert silent["x-forwarded-for"] == [stack.host(mirror)]
    assert silent["x-forwarded-proto"] == ["http"]


async def test_the_log_has_the_address_of_the_client(stack: Stack, url: str, http: httpx2.AsyncClient) -> None:
    mark = secrets.token_hex(8)

    await http.get(f"{url}/{mark}", headers=_SAID)

    async def probe() -> list[Json]:
        return [line for line in told(stack) if line["path"] == f"/{mark}"]

    (line,) = await eventually(probe, 30, every=0.2)
    assert line["client"] == stack.host("front")


async def test_with_a_certificate_http_leads_to_https(stack: Stack, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    mounted = ("--volume", f"{certificate}:/tls.pem:ro", "--env", "PROXY_CERTIFICATE=/tls.pem")
    trust = ssl.create_default_context(cafile=str(certificate))
    async with httpx2.AsyncClient(verify=trust) as http:
        with another_proxy(stack, *mounted, port=8443) as port:
            await answers(http, f"https://localhost:{port}/livez")
        with another_proxy(stack, *mounted) as port:

            async def probe() -> httpx2.Response:
                try:
                    return await http.get(f"http://localhost:{port}/livez")
                except httpx2.TransportError as error:
                    raise AssertionError from error

            answer = await eventually(probe, 30, every=0.2)
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://localhost:{port}/livez"


def make_certificate(folder: Path) -> Path:
    """Return a file with a key and the certificate that it signed for localhost."""
    made = folder / "tls.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run((*command, "-keyout", str(made), "-out", f"{made}.crt"), check=True, capture_output=True)
    with made.open("a") as file:
        file.write(Path(f"{made}.crt").read_text())
    made.chmod(0o444)
    return made
