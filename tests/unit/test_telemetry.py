"""Logs, as a process writes them."""

import ast
import json
import subprocess
import sys

_SET_UP = """
import logging, os, structlog
from tocsin.telemetry import bind_request_id, configure_logging
configure_logging("json", "info")
bind_request_id("r-1")
log = structlog.get_logger("tocsin.tests")
"""


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _SET_UP + program], capture_output=True, text=True, timeout=30, check=False
    )


def test_lines_of_ours_and_of_libraries_carry_the_same_fields() -> None:
    done = _run("log.info('ours', number=1); logging.getLogger('library').warning('theirs')")
    ours, theirs = map(json.loads, done.stderr.splitlines())
    assert (ours["event"], ours["level"], ours["logger"], ours["number"]) == ("ours", "info", "tocsin.tests", 1)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs", "warning", "library")
    assert ours["request_id"] == theirs["request_id"] == "r-1"
    assert ours["timestamp"] <= theirs["timestamp"]


def test_what_is_below_the_level_is_not_written() -> None:
    assert _run("log.debug('ours'); logging.getLogger('library').debug('theirs')").stderr == ""


def test_an_exception_is_one_line() -> None:
    (line,) = _run("try: 1 / 0\nexcept ZeroDivisionError: log.exception('broke')").stderr.splitlines()
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_nobody_fails_when_a_line_cannot_be_written() -> None:
    done = _run("os.close(2); log.info('lost'); print('alive')")
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_warnings_and_errors_are_counted_by_whose_they_are() -> None:
    done = _run(
        "log.info('fine'); log.warning('hm'); logging.getLogger('library').warning('hm')\n"
        "for _ in range(2):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError: log.exception('broke')\n"
        "logging.getLogger('library').info('fine')\n"
        "from tocsin.telemetry import LOG_LINES\n"
        "(family,) = LOG_LINES.collect()\n"
        "print({tuple(sample.labels.values()): sample.value for sample in family.samples})"
    )
    assert ast.literal_eval(done.stdout) == {
        ("warning", "tocsin"): 1,
        ("error", "tocsin"): 2,
        ("warning", "library"): 1,
        ("error", "library"): 0,
    }
