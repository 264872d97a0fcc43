"""File systems on loop devices: made, mounted, cut off as by a power failure, mounted again. Root only."""

import ctypes
import errno
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

# FS_IOC_SHUTDOWN of ext4 and XFS_IOC_GOINGDOWN are one number: _IOR('X', 125, __u32); 2: nothing more is written, not even the log.
SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

libc = ctypes.CDLL(None, use_errno=True)


def run(*args):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {r.stdout.strip()}")
    return r.stdout


def why_not(fs):
    """Why this machine can not do it, or None."""
    if os.geteuid() != 0:
        return "mounting loop file systems needs root"
    for tool in ("losetup", f"mkfs.{fs}"):
        if not shutil.which(tool):
            return f"no {tool}"
    return None


class HeldElsewhere(Exception):
    """The file system that was cut off lives on in somebody else's namespace of mounts: nothing can be mounted anew."""


class LoopFs:
    def __init__(self, fs, base, mib):
        self.fs = fs
        self.image = pathlib.Path(base) / f"{fs}.img"
        self.mnt = pathlib.Path(base) / f"mnt-{fs}"
        self.mnt.mkdir(exist_ok=True)
        self.mib = mib
        self.dev = None

    def attach(self):
        with open(self.image, "wb") as f:
            f.truncate(self.mib << 20)
        self.dev = run("losetup", "-f", "--show", str(self.image)).strip()
        self.make()

    def make(self):
        if self.fs == "xfs":
            run("mkfs.xfs", "-q", "-f", self.dev)
        else:
            run(f"mkfs.{self.fs}", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", self.dev)

    def mount(self, options=""):
        """A namespace of mounts that somebody made meanwhile may hold the file system that was cut off: then it is that one again, and one waits."""
        for _ in range(150):
            if libc.mount(self.dev.encode(), str(self.mnt).encode(), self.fs.encode(), 0, options.encode()) != 0:
                raise OSError(ctypes.get_errno(), f"mount {self.dev}: {os.strerror(ctypes.get_errno())}")
            try:
                os.listdir(self.mnt)
                (self.mnt / ".probe").mkdir()
                (self.mnt / ".probe").rmdir()
                return
            except OSError as e:
                if e.errno != errno.EIO:
                    return
            self.umount()
            time.sleep(0.2)
        raise HeldElsewhere(f"{self.mnt} that was cut off is still mounted in another namespace")

    def remount(self, read_only):
        run("mount", "-o", "remount," + ("ro" if read_only else "rw"), str(self.mnt))

    def cut(self):
        """The power goes: what is not on the device by now never will be."""
        fd = os.open(self.mnt, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def umount(self):
        for _ in range(200):  # descriptors of a killed process are closed a moment later
            if libc.umount2(str(self.mnt).encode(), 0) == 0:
                return
            time.sleep(0.005)
        raise OSError(ctypes.get_errno(), f"umount {self.mnt}: {os.strerror(ctypes.get_errno())}")

    def used_share(self):
        s = os.statvfs(self.mnt)
        return 1 - s.f_bavail / s.f_blocks

    def detach(self):
        if self.dev is None:
            return
        libc.umount2(str(self.mnt).encode(), 2)  # lazily: whoever still uses it; one that was cut off does not even say that it is mounted
        subprocess.run(["losetup", "-d", self.dev], check=False)
        self.dev = None
        self.image.unlink(missing_ok=True)
