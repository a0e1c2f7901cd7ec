"""The supervisor starts small programs, starts them again when they die, and ends them."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.fixtures.processes import is_alive, kill
from tests.fixtures.screen import SLEEP, Screen, part, run
from tests.waiting import elapse, until
from tocsin.cli.supervisor import Part
from tocsin.embedded.process import Command
from tocsin.errors import StartFailed

STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('here', flush=True)\nwhile True: signal.pause()"


def test_parts_are_started_shown_and_stopped() -> None:
    pids: list[int] = []

    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", SLEEP), part("b", SLEEP))
        await screen.shows("here", times=2)
        pids.extend(screen.supervisor.pids.values())
        await screen.supervisor.stop(("a", "b"))

    screen = run(body)

    assert len(pids) == 2
    assert not any(map(is_alive, pids))
    assert sorted(screen.lines) == ["a     | here", "b     | here"]


def test_start_waits_until_a_part_is_ready(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    plain = part("a", "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()", mark)
    waiting = Part("a", plain.command, os.environ, ready=lambda _: mark.exists())

    async def body(screen: Screen) -> None:
        await screen.supervisor.start(waiting)
        assert mark.exists()

    run(body)


def test_a_part_that_dies_is_started_again_ever_later() -> None:
    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", "raise SystemExit(3)"))
        await screen.shows("a died (exit 3), starting it again in 0.2 s", times=2)

    screen = run(body)

    delays = [line.split()[-2] for line in screen.lines if "starting it again" in line]
    assert delays[:5] == ["0.05", "0.1", "0.2", "0.2", "0.2"][: len(delays)]


def test_a_killed_part_comes_back_and_its_new_number_is_told() -> None:
    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", SLEEP))
        first = screen.supervisor.pids["a"]
        os.kill(first, SIGKILL)
        await screen.shows("up    | a died (SIGKILL), starting it again in 0.05 s")
        await screen.shows("up    | a is back")
        assert screen.supervisor.pids["a"] not in (None, first)

    run(body)


def test_a_part_that_dies_before_it_was_ready_is_a_failed_start(tmp_path: Path) -> None:
    never = part("a", "raise SystemExit(2)")

    async def body(screen: Screen) -> None:
        with pytest.raises(StartFailed, match=r"^a died while starting \(exit 2\)$"):
            await screen.supervisor.start(part("b", SLEEP), Part("a", never.command, os.environ, ready=lambda _: False))

    run(body)


def test_a_part_that_is_never_ready_is_a_failed_start() -> None:
    plain = part("a", SLEEP)

    async def body(screen: Screen) -> None:
        with pytest.raises(StartFailed, match=r"^a was not ready after 0\.2 s$"):
            await screen.supervisor.start(Part("a", plain.command, os.environ, ready=lambda _: False, ready_within=0.2))

    run(body)


def test_a_program_that_is_not_there_is_a_failed_start() -> None:
    missing = Part("a", Command(argv=("/nowhere/program",)), os.environ, ready=lambda _: False)

    async def body(screen: Screen) -> None:
        with pytest.raises(StartFailed, match=r"^a died while starting"):
            await screen.supervisor.start(missing)

    run(body)


def test_groups_are_stopped_one_after_the_other(tmp_path: Path) -> None:
    book = tmp_path / "book"
    farewell = (
        "import signal, sys\n"
        "def leave(*_):\n"
        "    signal.sigtimedwait({signal.SIGUSR1}, float(sys.argv[3]))\n"  # takes its time
        "    open(sys.argv[1], 'a').write(sys.argv[2]); sys.exit()\n"
        "signal.signal(15, leave); print('here', flush=True); signal.pause()"
    )

    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", farewell, book, "a", 0), part("b", farewell, book, "b", 0.3))
        await screen.shows("here", times=2)
        await screen.supervisor.stop(("b",), ("a",))

    run(body)

    assert book.read_text() == "ba"


def test_a_part_that_does_not_listen_is_killed_in_the_end() -> None:
    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", STUBBORN, escalation=((SIGTERM, 0.3), (SIGKILL, 5))))
        await screen.shows("here")
        (pid,) = screen.supervisor.pids.values()
        await screen.supervisor.stop(("a",))
        assert not is_alive(pid)

    run(body)


def test_hurry_cuts_the_wait_short() -> None:
    async def body(screen: Screen) -> None:
        patient = ((SIGTERM, 3600), (SIGKILL, 5))
        await screen.supervisor.start(*(part(name, STUBBORN, escalation=patient) for name in "ab"))
        await screen.shows("here", times=2)
        stopping = asyncio.create_task(screen.supervisor.stop(("a",), ("b",)))
        await elapse(0.1)
        assert not stopping.done()
        screen.supervisor.hurry()
        await stopping

    run(body)


def test_children_of_a_part_end_with_it() -> None:
    family = (
        "import signal, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.signal(15, 1); signal.pause()'])\n"
        "print('child', child.pid, flush=True); signal.pause()"
    )
    children: list[int] = []

    async def body(screen: Screen) -> None:
        await screen.supervisor.start(part("a", family))
        await screen.shows("child")
        children.append(int(screen.lines[0].split()[-1]))
        assert is_alive(children[0])
        await screen.supervisor.stop(("a",))
        await until(lambda: not is_alive(children[0]))

    try:
        run(body)
    finally:
        kill(*children)


def test_run_fails_with_its_program() -> None:
    async def body(screen: Screen) -> None:
        with pytest.raises(StartFailed, match=r"^a failed \(exit 7\)$"):
            await screen.supervisor.run(part("a", "print('no'); raise SystemExit(7)"))

    screen = run(body)

    assert screen.lines == ["a     | no"]


def test_run_that_is_cancelled_ends_its_program() -> None:
    async def body(screen: Screen) -> None:
        running = asyncio.create_task(screen.supervisor.run(part("a", f"import os; print(os.getpid()); {SLEEP}")))
        await screen.shows("here")
        pid = int(screen.lines[0].split()[-1])
        running.cancel()
        await asyncio.wait((running,))
        assert not is_alive(pid)

    run(body)


def test_a_killed_supervisor_leaves_nothing_running(tmp_path: Path) -> None:
    busy = f"import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); {STUBBORN}"
    program = (
        "import asyncio, os, pathlib, sys\n"
        "from tocsin.cli.console import Console\n"
        "from tocsin.cli.supervisor import Part, Supervisor\n"
        "from tocsin.embedded.process import Command\n"
        "async def main():\n"
        "    supervisor = Supervisor(Console(sys.stderr, ('a', 'b'), {}))\n"
        "    def part(name):\n"
        f"        mark = pathlib.Path({str(tmp_path)!r}) / name\n"
        f"        command = Command(argv=(sys.executable, '-c', {busy!r}, str(mark)))\n"
        "        return Part(name, command, os.environ, ready=lambda _: mark.exists())\n"
        "    await supervisor.start(part('a'), part('b'))\n"
        "    print(*supervisor.pids.values(), flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert owner.stdout is not None
    with owner.stdout as output:
        pids = [int(word) for word in output.readline().split()]
    assert len(pids) == 2
    assert all(map(is_alive, pids))

    owner.kill()
    owner.wait(10)

    async def gone() -> None:
        await until(lambda: not any(map(is_alive, pids)))

    try:
        asyncio.run(gone())
    finally:
        kill(*pids)
