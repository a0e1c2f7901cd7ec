"""The audit of what is locked: what it finds, and that it never says so when it could not look."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.house.audit import LOCKS, Outcome, audit
from tests.house.source import ROOT

VULNERABLE = {
    "vulns": [
        {
            "id": "PYSEC-2030-1",
            "summary": "It does what it should not.",
            "modified": "2030-01-01T00:00:00Z",
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": "six"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.99.0"}]}],
                }
            ],
        }
    ]
}


class Osv(BaseHTTPRequestHandler):
    """Knows of one vulnerable package, or breaks down."""

    broken = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, Any] = VULNERABLE if asked["package"]["name"] == "six" else {}
        self.send_response(500 if self.broken else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library has it
        pass


class BrokenOsv(Osv):
    broken = True


@contextmanager
def serving(kind: type[Osv]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "some.lock"
    path.write_text(f"idna==3.10 --hash=sha256:{'0' * 64}\n")
    return path


def test_a_package_that_is_known_to_be_vulnerable_is_found(lock: Path) -> None:
    lock.write_text(f"{lock.read_text()}six==1.16.0 --hash=sha256:{'0' * 64}\n")

    with serving(Osv) as service:
        outcome, lines = audit([lock], service)

    assert outcome is Outcome.FOUND
    assert lines == ["six 1.16.0: PYSEC-2030-1 (fixed in 1.99.0)"]


def test_where_nothing_is_known_that_is_said(lock: Path) -> None:
    with serving(Osv) as service:
        outcome, lines = audit([lock], service)

    assert outcome is Outcome.CLEAN
    assert lines == ["None of 1 packages is known to be vulnerable."]


def test_if_nobody_can_be_asked_it_is_not_done(lock: Path) -> None:
    outcome, lines = audit([lock], "http://127.0.0.1:1")

    assert outcome is Outcome.NOT_DONE
    assert "could not be audited" in lines[0]


def test_if_who_is_asked_breaks_down_it_is_not_done(lock: Path) -> None:
    with serving(BrokenOsv) as service:
        outcome, _ = audit([lock], service)

    assert outcome is Outcome.NOT_DONE


def test_a_lock_of_nothing_was_not_audited(lock: Path) -> None:
    lock.write_text("")

    with serving(Osv) as service:
        assert audit([lock], service)[0] is Outcome.NOT_DONE


def test_all_packages_of_all_locks_are_audited() -> None:
    def pinned(path: Path) -> set[str]:
        return {line.split(" ")[0] for line in path.read_text("utf-8").splitlines() if "==" in line and line[0] != "#"}

    audited = set().union(*(pinned(ROOT / lock) for lock in LOCKS))
    for path in ROOT.glob("requirements*.lock"):
        assert pinned(path) <= audited, path
