"""A script, not a module: in new namespaces, builds a small read-only root, drops all capabilities and runs a command.

Its one argument is a JSON file: root (an empty folder), binds [[source, target, writable]], scratch_bytes, folder
(the working directory) and command. Only the standard library is used, for nothing else may be installed.
Sources: Linux man pages mount(2), mount_setattr(2), pivot_root(2), capabilities(7), prctl(2).
"""

import ctypes
import json
import os
import platform
import sys
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE, MS_RDONLY, MS_REMOUNT = 2, 4, 4096, 16384, 1 << 18, 1, 32
MNT_DETACH, AT_FDCWD, AT_RECURSIVE = 2, -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, LINUX_CAPABILITY_VERSION_3 = 24, 38, 0x20080522
MOUNT_SETATTR = 442
CALLS = {"x86_64": (155, 126), "aarch64": (41, 91)}  # pivot_root, capset

libc = ctypes.CDLL(None, use_errno=True)


def check_result(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    texts = [text.encode() if text is not None else None for text in (source, str(target), kind)]
    check_result(libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None), f"mount {source} on {target}")


def bind(source: str, target: Path, writable: bool) -> None:
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, target, None, MS_BIND | MS_REC)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_NOSUID | (0 if writable else MOUNT_ATTR_RDONLY), 0, 0, 0)
    path, size = str(target).encode(), ctypes.c_size_t(ctypes.sizeof(attributes))
    check_result(
        libc.syscall(MOUNT_SETATTR, AT_FDCWD, path, AT_RECURSIVE, attributes, size), f"{target} could not be protected"
    )


def change_root(root: Path) -> None:
    old = root / ".old"
    old.mkdir()
    call = CALLS[platform.machine()][0]
    check_result(libc.syscall(call, str(root).encode(), str(old).encode()), "pivot_root")
    os.chdir("/")
    check_result(libc.umount2(b"/.old", MNT_DETACH), "umount")
    Path("/.old").rmdir()
    mount("tmpfs", Path("/"), None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def drop_capabilities() -> None:
    check_result(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the kernel's last capability, which is fine
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    check_result(libc.syscall(CALLS[platform.machine()][1], header, (ctypes.c_uint32 * 6)()), "capset")


def enter() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    root = Path(spec["root"])
    mount("none", Path("/"), None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for name in ("tmp", "proc"):
        (root / name).mkdir(exist_ok=True)
    mount("tmpfs", root / "tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={spec['scratch_bytes']},mode=1777")
    for source, target, writable in spec["binds"]:  # after /tmp: a source may lie there
        bind(source, root / target.lstrip("/"), writable)
    for source, target in spec["links"]:
        (root / source.lstrip("/")).symlink_to(target)
    change_root(root)
    drop_capabilities()
    os.chdir(spec["folder"])
    os.execv(spec["command"][0], spec["command"])


enter()
