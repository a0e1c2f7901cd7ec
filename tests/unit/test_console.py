import io
import os
import pty
import subprocess
import sys

from tocsin.cli.console import Console


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def test_names_are_aligned() -> None:
    stream = io.StringIO()
    console = Console(stream, ("api", "postgres"), {})

    console.say("api", "one")
    console.say("postgres", "two")

    assert stream.getvalue() == "api      | one\npostgres | two\n"


def test_a_terminal_gets_a_colour_for_each_name() -> None:
    stream = Terminal()
    console = Console(stream, ("a", "b"), {})

    console.say("a", "one")
    console.say("b", "two")

    assert stream.getvalue() == "\x1b[36ma |\x1b[0m one\n\x1b[32mb |\x1b[0m two\n"


def test_no_color_is_honoured() -> None:
    stream = Terminal()

    Console(stream, ("a",), {"NO_COLOR": "1"}).say("a", "one")

    assert stream.getvalue() == "a | one\n"


def test_a_reader_that_went_away_is_no_reason_to_stop() -> None:
    program = (
        "import sys; from tocsin.cli.console import Console\n"
        "console = Console(sys.stdout, ('a',), {})\n"
        "sys.stdin.readline()\n"
        "for _ in range(3): console.say('a', 'x' * 10_000)\n"
        "print('still here', file=sys.stderr)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    writer.stdout.close()

    _, errors = writer.communicate(b"\n", timeout=20)

    assert (writer.returncode, errors) == (0, b"still here\n")


def test_a_terminal_that_hung_up_is_no_reason_to_stop() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        console = Console(stream, ("a",), {})
        os.close(master)

        console.say("a", "one")


def test_what_the_terminal_cannot_show_is_replaced() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")

    Console(stream, ("a",), {}).say("a", "\u2713 done")

    assert raw.getvalue() == b"a | ? done\n"
