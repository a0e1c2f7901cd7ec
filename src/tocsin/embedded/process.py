"""How child processes are started so that none is ever left behind, and as whom."""

import os
import pwd
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

from tocsin.errors import ConfigurationError

_LAUNCHER = Path(__file__).with_name("launch.py")
# In order of preference: to read below closed folders, and where a container withholds that, to write there too.
_CAP_DAC_READ_SEARCH = 2
_CAP_DAC_OVERRIDE = 1
_CAP_SETPCAP = 8

Escalation = tuple[tuple[Signals, float], ...]
"""Signals that end a process, each with the seconds it has before the next."""

TERMINATE: Escalation = ((SIGTERM, 10), (SIGKILL, 5))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a child process is. ``capability`` lets it pass folders closed to it; -1 where none is needed."""

    uid: int
    gid: int
    capability: int = -1


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run as a child process, and how it is ended.

    ``orphan_signal`` is what the kernel sends it when the process that started it dies (Linux).
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    identity: Identity | None = None
    escalation: Escalation = TERMINATE
    orphan_signal: Signals = SIGKILL

    def launch_argv(self) -> tuple[str, ...]:
        """Return what to execute, from the very thread that will live as long as the child should."""
        who = self.identity or Identity(-1, -1)
        knot = (os.getpid(), int(self.orphan_signal), who.uid, who.gid, who.capability)
        return (sys.executable, "-I", "-S", str(_LAUNCHER), *(str(number) for number in knot), *self.argv)


def choose_identity(folder: Path, program: Path) -> Identity | None:
    """Return who a server that refuses to be root shall be, or None where we are not root.

    That is the owner of ``folder`` (which holds the server's data) or of its parent, else nobody.

    Raises:
        ConfigurationError: there is nobody, or he could not reach ``program`` and ``folder``.
    """
    if os.geteuid() != 0:
        return None
    owners = [path.stat().st_uid for path in (folder, folder.parent) if path.exists()]
    who = next((entry for entry in map(_find_user, owners) if entry), None) or _find_nobody()
    if _is_open(program) and _is_open(folder.parent):
        return Identity(who.pw_uid, who.pw_gid)
    ours = _own_capabilities()
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if ours >> capability & ours >> _CAP_SETPCAP & 1:
            return Identity(who.pw_uid, who.pw_gid, capability)
    raise ConfigurationError(
        f"PostgreSQL refuses to run as root, and user '{who.pw_name}' cannot reach both {program} and {folder}: "
        "run as an ordinary user, or from a folder that others may enter"
    )


def stop_leftover(pid: int, name: str, folder: Path, escalation: Escalation) -> None:
    """End a server that outlived its owner, if ``pid`` is still what it was.

    It is when its program is ``name`` and its working directory ``folder``; a server that changed either, or a
    stranger who was given the id since, is left alone.
    """
    import psutil  # costs every command 50 ms, and is needed after a crash only

    try:
        process = psutil.Process(pid)
        if process.name() != name or Path(process.cwd()) != folder.resolve():
            return
        for signal, patience in escalation:
            process.send_signal(signal)
            try:
                process.wait(patience)
                return
            except psutil.TimeoutExpired:
                continue
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


def _find_user(uid: int) -> pwd.struct_passwd | None:
    if uid == 0:
        return None
    try:
        return pwd.getpwuid(uid)
    except KeyError:  # initdb insists on a name
        return None


def _find_nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigurationError("PostgreSQL refuses to run as root, and there is no user 'nobody'") from None


def _is_open(path: Path) -> bool:
    """Tell whether everybody can pass through all folders above ``path`` and read it, or enter it."""
    real = path.resolve()
    needed = stat.S_IXOTH if real.is_dir() else stat.S_IXOTH | stat.S_IROTH
    passable = all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)
    return passable and real.stat().st_mode & needed == needed


def _own_capabilities() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux
        return 0
    return int(status.split("CapPrm:")[1].split()[0], 16)
