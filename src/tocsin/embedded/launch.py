"""Become another program that ends with the process that started it, and that may have to be less than root.

Run by path, as ``python -I -S launch.py PARENT SIGNAL UID GID CAPABILITY PROGRAM ARGUMENT…``, so it may import
nothing but the standard library. The process id stays the same. Doing this here and not between fork and exec
of the parent is what makes it safe: the parent has threads, and Python must not run after a fork of theirs.
"""

import ctypes
import os
import struct
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 4
_CAPABILITY_VERSION_3 = 0x20080522


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _become(libc: ctypes.CDLL, uid: int, gid: int, capability: int) -> None:
    if capability >= 0:
        # So that capabilities survive the change of user, and count in access() afterwards: PostgreSQL asks that
        # of its own programs, and the kernel answers somebody who is not root as if he had none.
        _check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capability >= 0:
        # Effective, permitted and inheritable: all others are dropped. Ambient is what survives the exec.
        mask = 1 << capability
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        _check(libc.capset(header, struct.pack("=6I", mask, mask, mask, 0, 0, 0)))
        _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def main() -> None:
    """Give up what is not needed, tie the knot to the parent, and become the program."""
    parent, signal, uid, gid, capability = (int(argument) for argument in sys.argv[1:6])
    libc = ctypes.CDLL(None, use_errno=True)
    if uid >= 0:
        _become(libc, uid, gid, capability)
    if sys.platform == "linux":
        # After the change of user, which would undo it.
        _check(libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0))
    if os.getppid() != parent:
        sys.exit("the process that wanted this started is gone")
    os.execv(sys.argv[6], sys.argv[6:])  # noqa: S606 - the command was put together by us


if __name__ == "__main__":
    main()
