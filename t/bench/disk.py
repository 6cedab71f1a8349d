"""A file system that is made for one run: an ext4 as mkfs makes it, in a file.

What lies on a disk already is no part of a comparison, but decides it: an
ext4 whose groups are all full of directories searches each of them when one is
made, and one that has just removed files looks at them again.

It is mounted in a mount namespace that ends with the run, however that ends,
and the file has no name: nothing is left of it.
"""

import os
import shutil
import subprocess
import sys

GIB = 10
MOUNTED = "REGISTRY_BENCH_DISK"         # where, for the run inside
TOOLS = ("unshare", "losetup", "mkfs.ext4", "mount")


def why_not(directory):
    """What is missing to make one in a directory; None: nothing."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return ", ".join(missing) + ": missing"
    if not os.path.exists("/dev/loop-control"):
        return "the kernel has no loop devices"
    free = os.statvfs(directory)
    if free.f_bavail * free.f_frsize < (GIB + 2) << 30:
        return f"needs {GIB + 2} GiB in {directory}"
    return None


def enter(directory):
    """Runs this program again, where the new one is to be mounted over
    directory.  Does not return."""
    sys.stdout.flush()
    os.environ[MOUNTED] = directory
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private",
                          sys.executable, *sys.argv])


def mount(directory):
    """Over directory, in a namespace of our own."""
    path = os.path.join(directory, f"registry-bench-{os.getpid()}.ext4")
    try:
        with open(path, "wb", buffering=0) as file:
            # as one that was in use: blocks that are written for the first
            # time cost the file system below more
            zeros = bytes(8 << 20)
            for _ in range((GIB << 30) // len(zeros)):
                file.write(zeros)
            os.fsync(file.fileno())

        device = subprocess.run(
            ["losetup", "--find", "--show", "--direct-io=on", path],
            check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    finally:
        os.unlink(path)
    try:
        # 4 KiB for each file: a registry's are small, and half of what it
        # makes are directories
        subprocess.run(["mkfs.ext4", "-q", "-i", "4096", "-E",
                        "nodiscard,lazy_itable_init=0", device], check=True)
        subprocess.run(["mount", "-o", "noatime", device, directory],
                       check=True)
    finally:
        # goes when nobody has it mounted any more
        subprocess.run(["losetup", "--detach", device], check=True)
