"""Files that only their owner may read, and the lock that says who uses a data folder."""

import fcntl
import os
import secrets
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from tocsin.errors import ConfigurationError

_LARGE_LOG = 10 * 2**20


def make_folder(path: Path) -> None:
    """Make ``path`` and what is missing above it.

    As root the folder can be passed through, though not listed, since the servers in it run as somebody else.

    Raises:
        ConfigurationError: it cannot be made, or not be written to.
    """
    try:
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        # Asking by doing: access() knows nothing of read-only mounts and full quotas.
        probe = path / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(f"cannot write to the data folder {path}: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """Put ``text`` into ``path`` with mode 0600; readers see the old text or the new, never a part."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # Exclusive, since a server that runs as somebody else may own the folder and could plant a link.
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def keep(path: Path, make: Callable[[], str]) -> str:
    """Return the text kept in ``path``; the first time, make it and keep it with mode 0600."""
    try:
        kept = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        kept = ""
    if not kept:
        kept = make()
        write_private(path, kept + "\n")
    return kept


def open_log(path: Path) -> FileIO:
    """Open a log for appending, unbuffered, mode 0600; one that has become large is set aside first."""
    if path.exists() and path.stat().st_size > _LARGE_LOG:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab", buffering=0)


class Lock:
    """Held by one living process at most; the kernel lets go of it however that process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: another process holds it; the message names its id.
        """
        # Children must not inherit the descriptor: the lock is gone when its last copy is closed.
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise ConfigurationError(f"the data folder {path.parent} is in use by process {holder}") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let go of the lock."""
        self._file.close()
