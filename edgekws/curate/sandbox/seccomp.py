"""A script, not a module: forbids itself and its children some system calls, by seccomp, and becomes a command.

Forbidden is what goes around a wall or its limits: memory that no process is seen to hold (memfd, System V), new
namespaces and mounts, sockets, other processes' memory, keys, and ways to make such calls unseen (io_uring, bpf).
Sources: Linux man pages seccomp(2), syscall(2), clone(2); the tables of calls are those of the kernel.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
CALL, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # where they stand in struct seccomp_data
CLONE_NEWUSER, FOREIGN_CALLS = 0x10000000, 0x40000000
EVERYWHERE = (
    425,  # io_uring_setup
    428, 429, 430, 431, 432, 442,  # open_tree, move_mount, fsopen, fsconfig, fsmount, mount_setattr
    438, 447,  # pidfd_getfd, memfd_secret
)  # fmt: skip
CLONE3 = 435
NAMES = (
    "socket", "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "unshare", "setns",
    "memfd_create", "shmget", "msgget", "mq_open", "add_key", "request_key", "keyctl", "bpf", "perf_event_open",
    "userfaultfd",
)  # fmt: skip
# The architecture's name to seccomp, its clone, and its numbers of NAMES.
TABLES = {
    "x86_64": (
        0xC000003E, 56,
        (41, 101, 310, 311, 165, 166, 155, 272, 308, 319, 29, 68, 240, 248, 249, 250, 321, 298, 323),
    ),
    "aarch64": (
        0xC00000B7, 220,
        (198, 117, 270, 271, 40, 39, 41, 97, 268, 279, 194, 186, 180, 217, 218, 219, 280, 241, 282),
    ),
}  # fmt: skip


def step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    """One instruction; the jumps say how many instructions to skip."""
    return struct.pack("HBBI", code, if_so, if_not, value)


def program(architecture: int, clone: int, calls: tuple[int, ...]) -> bytes:
    refuse = step(RETURN, REFUSE | errno.EPERM)
    steps = [step(LOAD, MACHINE), step(EQUAL, architecture, 1, 0), refuse, step(LOAD, CALL)]
    steps += [step(AT_LEAST, FOREIGN_CALLS, 0, 1), refuse]
    for call in (*calls, *EVERYWHERE):
        steps += [step(EQUAL, call, 0, 1), refuse]
    steps += [step(EQUAL, CLONE3, 0, 1), step(RETURN, REFUSE | errno.ENOSYS)]  # flags unseen; libc takes clone then
    steps += [step(EQUAL, clone, 0, 3), step(LOAD, FIRST_ARGUMENT), step(ANY_BIT, CLONE_NEWUSER, 0, 1), refuse]
    return b"".join([*steps, step(RETURN, ALLOW)])


def forbid() -> None:
    table = TABLES.get(platform.machine())
    if table is None:  # said before, by _walls.py, where it matters
        return
    code = program(*table)
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0):
        sys.exit(f"system calls cannot be forbidden here: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    forbid()
    os.execv(sys.argv[1], sys.argv[1:])
