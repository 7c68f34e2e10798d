"""A script, not a module: installs a seccomp filter for itself and its children, then replaces itself by a command.

The filter refuses what would bypass the sandbox or its limits: memory that is counted for no process (memfd, System
V), new namespaces and mounts, sockets, other processes' memory, keys, and ways to make such calls unseen (io_uring,
bpf). Sources: Linux man pages seccomp(2), syscall(2), clone(2); the call numbers are the kernel's.
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
CALL, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
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
# AUDIT_ARCH value, number of clone, and numbers of NAMES.
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


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One BPF instruction; the jumps count instructions to skip."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(architecture: int, clone: int, calls: tuple[int, ...]) -> bytes:
    refuse = instruction(RETURN, REFUSE | errno.EPERM)
    instructions = [instruction(LOAD, MACHINE), instruction(EQUAL, architecture, 1, 0), refuse, instruction(LOAD, CALL)]
    instructions += [instruction(AT_LEAST, FOREIGN_CALLS, 0, 1), refuse]
    for call in (*calls, *EVERYWHERE):
        instructions += [instruction(EQUAL, call, 0, 1), refuse]
    instructions += [
        instruction(EQUAL, CLONE3, 0, 1),
        instruction(RETURN, REFUSE | errno.ENOSYS),
    ]  # its flags cannot be read; libc falls back to clone
    instructions += [
        instruction(EQUAL, clone, 0, 3),
        instruction(LOAD, FIRST_ARGUMENT),
        instruction(ANY_BIT, CLONE_NEWUSER, 0, 1),
        refuse,
    ]
    return b"".join([*instructions, instruction(RETURN, ALLOW)])


def install_filter() -> None:
    table = TABLES.get(platform.machine())
    if table is None:  # isolation.py has reported it where it matters
        return
    code = program(*table)
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0):
        sys.exit(f"system calls cannot be forbidden here: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    install_filter()
    os.execv(sys.argv[1], sys.argv[1:])
