"""Become PostgreSQL: a small program that runs between fork and exec.

    python -I -S become.py PARENT_PID DEATH_SIGNAL UID GID COMMAND...

It asks the kernel to send DEATH_SIGNAL when the parent dies, drops root to UID and GID (unless UID is -1), and executes
COMMAND, whose `-D` names the folder it works in. It is a program and not a `preexec_fn` because Python code after a fork can
deadlock in a process with threads. It imports nothing of Tawny's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522

_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(text) for text in arguments[:4])
    command = arguments[4:]
    os.umask(0o077)
    # Python would only note a signal that comes between here and exec, and forget it there.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if uid >= 0:
        _drop_root(uid, gid, command[0])
        _require_reach(uid, command)
    # Last: a change of user or of capabilities clears it.
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("The process that wanted PostgreSQL has died.")
    os.execv(command[0], command)  # noqa: S606 (no shell is the point)


def _drop_root(uid: int, gid: int, binary: str) -> None:
    kept = _prepare_to_keep(binary)
    try:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        sys.exit(
            f"This root may not become user {uid}, and PostgreSQL does not run as root ({error}): start Tawny as another user."
        )
    if kept is not None:
        _keep_only(kept)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _require_reach(uid: int, command: list[str]) -> None:
    for path in (command[0], command[command.index("-D") + 1]):
        if not os.access(path, os.X_OK):
            sys.exit(
                f"User {uid}, as which root runs PostgreSQL, cannot reach {path}, and this root lacks the capabilities to let it "
                "(CAP_DAC_READ_SEARCH or CAP_DAC_OVERRIDE, and CAP_SETPCAP): start Tawny as another user."
            )


def _prepare_to_keep(binary: str) -> int | None:
    """The capability that will let the dropped user pass folders that only root may enter; None if it cannot keep one.

    Without NO_SETUID_FIXUP access(2), which PostgreSQL asks about its own binary, would not count the capability.
    """
    capability = _best_capability(binary)
    if capability is None:
        return None
    securebits = _libc.prctl(_PR_GET_SECUREBITS, 0, 0, 0, 0) | _SECBIT_NO_SETUID_FIXUP
    return capability if _libc.prctl(_PR_SET_SECUREBITS, securebits, 0, 0, 0) == 0 else None


def _best_capability(binary: str) -> int | None:
    """Reading is enough, unless the binary itself may be executed by root only. Docker grants root only the stronger one."""
    executable_by_all = os.stat(binary).st_mode & 0o001  # noqa: PTH116
    wanted = (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if executable_by_all else (_CAP_DAC_OVERRIDE,)
    permitted = _permitted()
    return next((capability for capability in wanted if permitted & (1 << capability)), None)


def _permitted() -> int:
    header, data = _CapHeader(_CAPABILITY_VERSION_3, 0), (_CapData * 2)()
    _check(_libc.capget(ctypes.byref(header), data))
    return int(data[0].permitted)


def _keep_only(capability: int) -> None:
    bit = 1 << capability
    header, data = _CapHeader(_CAPABILITY_VERSION_3, 0), (_CapData * 2)(_CapData(bit, bit, bit), _CapData(0, 0, 0))
    _check(_libc.capset(ctypes.byref(header), data))
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, *arguments: int) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    _check(_libc.prctl(option, *(ctypes.c_ulong(argument) for argument in padded)))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
