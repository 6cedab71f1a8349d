"""Where the numbers come from: the machine, its disk, what was compared, and
how often each server waits for the disk before it says 201."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
import time

from servers import first_line, sha256, with_digest


def processor():
    with open("/proc/cpuinfo") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}"


def memory():
    with open("/proc/meminfo") as file:
        total = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1))
    return f"{total / (1 << 20):.1f} GiB"


def filesystem(path):
    """The mount that holds a path: its type and options."""
    best = ("", "", "")
    with open("/proc/self/mounts") as file:
        for line in file:
            _, where, kind, options = line.split()[:4]
            inside = path == where or path.startswith(where.rstrip("/") + "/")
            if inside and len(where) >= len(best[0]):
                best = (where, kind, options)
    return f"{best[1]} ({best[2]}); a new file costs {create_cost(path):.0f} us"


def create_cost(path):
    """Microseconds to create a file: pushes create a dozen, and the figure
    differs tenfold between file systems."""
    directory = tempfile.mkdtemp(dir=path)
    begin = time.perf_counter()
    for number in range(100):
        os.close(os.open(f"{directory}/{number}", os.O_CREAT | os.O_WRONLY))
    taken = time.perf_counter() - begin
    shutil.rmtree(directory)
    return taken / 100 * 1e6


def machine(path):
    return [
        ("processor", processor()),
        ("memory", memory()),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("file system", filesystem(path)),
        ("load before", "%.2f %.2f %.2f" % os.getloadavg()),
    ]


def tools():
    return [("wrk", first_line("wrk", "-v")), ("ab", first_line("ab", "-V"))]


def syncs(server):
    """fsync, fdatasync and syncfs calls that one push of a small blob makes before
    it is answered, where it is not the first one, by strace; None where there is
    no strace, or nothing to trace."""
    if not shutil.which("strace") or not server.processes:
        return None
    for _ in range(16):         # each process learns what is durable already
        push_one(server)

    output = os.path.join(server.scratch, "strace")
    pids = [option for pid in server.pids() for option in ("-p", str(pid))]
    tracer = subprocess.Popen(
        ["strace", "-f", "-ttt", "-o", output,
         "-e", "trace=fsync,fdatasync,syncfs,sync", *pids],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(len(pids) // 2):
            if "attached" not in tracer.stderr.readline():
                return None
        time.sleep(2)           # what those before have put off is done
        began = time.time()
        push_one(server)
        answered = time.time()
    finally:
        tracer.terminate()
        tracer.communicate()

    with open(output) as file:
        calls = re.findall(r"([0-9.]+) (?:fsync|fdatasync|syncfs|sync)\(",
                           file.read())
    return sum(began < float(when) < answered for when in calls)


def push_one(server):
    """A blob whose digest begins with 00, so that all of them get into the
    same directory of a tree."""
    digest = ""
    while not digest.startswith("00"):
        body = os.urandom(4096)
        digest = sha256(body)

    digest = "sha256:" + digest
    path = server.upload_path("bench/syncs", digest)
    if path is None:
        path = with_digest(server.start_upload("bench/syncs"), digest)
    server.ask("PUT", path, 201, body,
               {"Content-Type": "application/octet-stream"})
