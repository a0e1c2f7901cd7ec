"""What the supervisor shows of its programs, and what it keeps in a log."""

import os
import signal
from pathlib import Path

import pytest

from tests.fixtures.screen import Screen, part, run
from tests.waiting import until
from tocsin.cli.supervisor import Part
from tocsin.errors import StartFailed


def quiet_part(program: str, log: Path) -> Part:
    plain = part("quiet", program)
    return Part("quiet", plain.command, os.environ, ready=lambda _: log.exists(), log=log, alarms=("WARNING",))


def test_lines_without_end_and_without_meaning_are_shown_in_pieces() -> None:
    noise = "import os; os.write(1, b'x' * 200_000 + b'\\n\\xff\\nlast words'); import signal; signal.pause()"

    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", noise))
        await screen.shows("\ufffd")
        os.kill(screen.supervisor.pids["a"], signal.SIGKILL)
        await screen.shows("last words")

    screen = run(body)

    pieces = [line.removeprefix("a     | ") for line in screen.lines if "xxx" in line]
    assert len(pieces) > 1
    assert "".join(pieces) == "x" * 200_000


def test_a_quiet_part_writes_a_log_and_only_alarms_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import signal, sys\n"
        "def warn(*_): print('WARNING: now', flush=True)\n"
        "signal.signal(10, warn); print('WARNING: early', flush=True); print('all is well', flush=True)\n"
        "while True: signal.pause()"
    )

    async def body(screen: Screen) -> None:
        log.write_text("")
        await screen.supervisor.start(quiet_part(program, log))
        await until(lambda: "all is well" in log.read_text())
        shown = len(screen.lines)
        os.kill(screen.supervisor.pids["quiet"], signal.SIGUSR1)
        await screen.shows("WARNING: now")
        assert len(screen.lines) == shown + 1

    screen = run(body)

    assert not any("all is well" in line for line in screen.lines)
    assert "WARNING: early" in log.read_text()


def test_the_last_words_of_a_quiet_part_that_never_was_ready_are_shown(tmp_path: Path) -> None:
    plain = part("quiet", "raise SystemExit('no such luck')")
    dying = Part("quiet", plain.command, os.environ, ready=lambda _: False, log=tmp_path / "log")

    async def body(screen: Screen) -> None:
        with pytest.raises(StartFailed):
            await screen.supervisor.start(dying)
        await screen.shows("quiet | no such luck")

    run(body)


def test_run_returns_what_was_written_and_shows_complaints() -> None:
    async def body(screen: Screen) -> None:
        program = "import sys; print('one'); print('two'); print('oh', file=sys.stderr)"
        assert await screen.supervisor.run(part("a", program), capture=True) == "one\ntwo"

    screen = run(body)

    assert screen.lines == ["a     | oh"]
