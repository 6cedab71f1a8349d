"""The servers that are compared: started, fed, asked, watched and stopped.

    server = Ours(directory, settings)
    server.start()
    server.store_blob("bench/app", blob)    # once, whatever it takes
    before = server.cpu_seconds()
    server.stop()

Ours and the ceiling are the same nginx with the same http settings: they
differ in one location.  A Peer is a registry that someone else has started.
"""

import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from load import Unique, WrongAnswer, request

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A server did not start: nothing can be measured."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def http_settings():
    """What conf/nginx.conf sets for all of nginx, without its log, servers
    and upstreams: the settings that ours and the ceiling share."""
    with open(f"{TOP}/conf/nginx.conf") as file:
        text = re.sub(r"#.*", "", file.read())
    inside = re.search(r"^http \{(.*?)^    \w+[^;{]*\{", text, re.M | re.S)
    return [" ".join(directive.split())
            for directive in inside.group(1).split(";")
            if directive.strip() and "access_log" not in directive]


class Process:
    """A program of ours, its output in a file, ended by its pid."""

    def __init__(self, directory, name, command, environment=None):
        self.log = os.path.join(directory, f"{name}.log")
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
                env={**os.environ, **(environment or {})})

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        try:
            os.killpg(self.child.pid, signal.SIGKILL)   # children left behind
        except ProcessLookupError:
            pass

    def wait_until(self, ready, what):
        for _ in range(200):
            if self.child.poll() is not None:
                break
            if ready():
                return
            time.sleep(0.05)
        with open(self.log, errors="replace") as output:
            raise Failed(f"{what}\n{output.read()[-2000:]}")


class Server:
    """What every target can do.  A subclass says how it starts."""

    name = ""
    durability = "not known"
    is_registry = True

    def __init__(self, directory, host=None):
        self.scratch = os.path.join(directory, self.name)
        self.root = None
        self.host = host or f"127.0.0.1:{free_port()}"
        self.processes = []
        self.stored = set()
        os.makedirs(self.scratch)

    def start(self):
        pass

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    def version(self):
        return "not known"

    def spawn(self, name, *command, environment=None):
        process = Process(self.scratch, name, command, environment)
        self.processes.append(process)
        return process

    def listens(self):
        host, port = self.host.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    def make_root(self):
        self.root = os.path.join(self.scratch, "root")
        os.makedirs(self.root)

    def write(self, name, text):
        path = os.path.join(self.scratch, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    # ---- plain requests, outside of any timing -----------------------------

    def ask(self, method, path, want, body=None, headers=None, sink=None):
        """One request; its headers and body.  A sink takes the body in parts
        instead."""
        connection = http.client.HTTPConnection(self.host, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            if answer.status != want:
                raise WrongAnswer(f"{method} {path[:100]}: {answer.status} "
                                  f"instead of {want}: {answer.read(300)!r}")
            if sink is None:
                data = answer.read()
            else:
                data = b""
                while part := answer.read(1 << 20):
                    sink(part)
        finally:
            connection.close()
        return {k.lower(): v for k, v in answer.getheaders()}, data

    def verify(self, path, digest, headers=None):
        """The body of a GET has this sha256."""
        running = hashlib.sha256()
        self.ask("GET", path, 200, headers=headers, sink=running.update)
        if running.hexdigest() != digest.removeprefix("sha256:"):
            raise WrongAnswer(f"{path}: the content has another digest")

    # ---- storing: a registry's way -----------------------------------------

    def store_blob(self, repository, blob):
        """Puts a blob there, unless it is, and reads it back."""
        if (repository, blob.digest) in self.stored:
            return
        with open(blob.path, "rb") as file:
            location = self.start_upload(repository)
            self.ask("PUT", with_digest(location, blob.digest), 201, file,
                     {"Content-Type": "application/octet-stream",
                      "Content-Length": str(blob.size)})
        self.verify(self.blob_path(repository, blob.digest), blob.digest)
        self.stored.add((repository, blob.digest))

    def cache_blob(self, repository, blob):
        """Reads a blob into the page cache anew.  Where in memory a file lies
        makes one server a fifth faster than another of the same program, for
        as long as it lies there: each round is to have its own luck."""
        if self.root:
            forget_pages(self.blob_file(repository, blob.digest))
            self.verify(self.blob_path(repository, blob.digest), blob.digest)

    def store_manifest(self, repository, tag, body, media_type):
        self.ask("PUT", f"/v2/{repository}/manifests/{tag}", 201, body,
                 {"Content-Type": media_type})

    def start_upload(self, repository):
        headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/", 202,
                              b"")
        return without_host(headers["location"])

    def refuses_wrong_content(self, repository):
        """A registry that does not verify digests is out of the contest."""
        wrong = "sha256:" + "0" * 64
        self.ask("PUT", with_digest(self.start_upload(repository), wrong), 400,
                 b"not that", {"Content-Type": "application/octet-stream"})

    # ---- what the load tools need ------------------------------------------

    def upload_path(self, repository, digest):
        return None

    def blob_path(self, repository, digest):
        return f"/v2/{repository}/blobs/{digest}"

    def blob_file(self, repository, digest):
        hexa = digest.removeprefix("sha256:")
        return (f"{self.root}/docker/registry/v2/blobs/sha256/"
                f"{hexa[:2]}/{hexa}/data")

    def unique_blobs(self, repository, head, count):
        return Unique(head, "",
                      list(enumerate_digests(head, count)),
                      request(self, "POST", f"/v2/{repository}/blobs/uploads/",
                              {"Content-Length": 0}))

    def unique_manifests(self, repository, head, tail, count):
        base = f"/v2/{repository}/manifests/"
        salt = sha256(head.encode())[:12]
        return Unique(head, tail,
                      [(f"{base}t-{salt}-{n}", n) for n in range(count)])

    def forget(self, repository, digests):
        """Empties uploads, so that they do not fill the disk and their dirty
        pages do not weigh on whoever is measured next.  The files stay: some
        file systems are slow to create one after many have been removed."""
        if self.root:
            for digest in digests:
                empty(self.blob_file(repository, digest))

    def filled(self):
        """Its tree was changed behind its back."""

    # ---- watching ----------------------------------------------------------

    def pids(self):
        """Our processes and their descendants."""
        parents = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            fields = stat(name)
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(name))
        todo, found = [p.child.pid for p in self.processes], []
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += parents.get(pid, [])
        return found

    def cpu_seconds(self):
        """User and system time; None for a server that is not ours to see."""
        if not self.processes:
            return None
        total = 0
        for pid in self.pids():
            fields = stat(pid)
            if fields:
                total += int(fields[11]) + int(fields[12])
        return total / TICK

    def peak_memory(self):
        """[(what it is, most resident KiB)] of each process."""
        rows = []
        for pid in sorted(self.pids()):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    line = file.read().replace("\0", " ").strip()
                with open(f"/proc/{pid}/status") as file:
                    peak = re.search(r"VmHWM:\s+(\d+)", file.read())
            except OSError:
                continue
            role = re.match(r"nginx: \w+ process", line)
            if peak:
                rows.append((role.group(0) if role
                             else os.path.basename(line.split()[0]),
                             int(peak.group(1))))
        return rows


def stat(pid):
    """/proc/PID/stat after the name; the first is the state."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def without_host(location):
    return re.sub(r"^https?://[^/]+", "", location)


def with_digest(location, digest):
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def enumerate_digests(head, count):
    """(digest, number) of head followed by twelve digits."""
    base = hashlib.sha256(head.encode())
    for number in range(count):
        running = base.copy()
        running.update(b"%012d" % number)
        yield "sha256:" + running.hexdigest(), number


def forget_pages(path):
    with open(path, "rb+") as file:
        os.fdatasync(file.fileno())         # dirty pages stay
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def empty(path):
    if os.path.exists(path):
        os.truncate(path, 0)


# ---- the three that we start -----------------------------------------------

def start_nginx(server, load, location, environment=None):
    """nginx in the foreground, as every nginx of this comparison is run."""
    temporary = os.path.join(server.scratch, "temp")
    os.makedirs(temporary)
    user = "user root;" if os.geteuid() == 0 else ""
    settings = "\n".join(f"    {line};" for line in http_settings())
    conf = server.write("nginx.conf", f"""\
{load}
{user}
daemon           off;
worker_processes auto;
pid              {server.scratch}/nginx.pid;
error_log        {server.scratch}/nginx-error.log error;

events {{
    worker_connections 4096;
}}

http {{
    access_log            off;
{settings}
    client_body_temp_path {temporary}/body;
    fastcgi_temp_path     {temporary}/fastcgi;
    proxy_temp_path       {temporary}/proxy;
    uwsgi_temp_path       {temporary}/uwsgi;
    scgi_temp_path        {temporary}/scgi;

    upstream registry {{
        server    unix:{server.scratch}/worker.sock;
        keepalive 32;
    }}

    server {{
        listen {server.host};

        location /v2/ {{
{location}
        }}
    }}
}}
""")
    process = server.spawn(
        "nginx", os.environ.get("REGISTRY_NGINX", "nginx"),
        "-e", f"{server.scratch}/nginx-error.log", "-c", conf,
        environment=environment)
    process.wait_until(server.listens, f"{server.name}: nginx does not listen")


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else "not known"


class Ours(Server):
    name = "ours"
    durability = ("data, links and their directories are synced before 201;"
                  " digests are verified")

    module = os.environ.get("REGISTRY_MODULE",
                            f"{TOP}/build/ngx_http_registry_module.so")
    worker = os.environ.get("REGISTRY_FCGI", f"{TOP}/build/registry-fcgi")
    ctl = os.environ.get("REGISTRY_CTL", f"{TOP}/build/registryctl")

    more_config = ""            # YAML after the rest
    environment = None          # of the worker

    def start(self):
        for path in (self.module, self.worker):
            if not os.path.exists(path):
                raise Failed(f"{path} is not there: run make first")

        self.make_root()
        config = self.write("config.yml", f"""\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {self.root}
  delete:
    enabled: true
nginx_registry:
  socket: {self.scratch}/worker.sock
{self.more_config}""")
        worker = self.spawn("worker", self.worker, "--config", config,
                            environment=self.environment)
        worker.wait_until(
            lambda: os.path.exists(f"{self.scratch}/worker.sock"),
            "ours: the worker does not listen")
        start_nginx(self, f"load_module {os.path.abspath(self.module)};", f"""\
            registry     {self.root};
            include      {TOP}/conf/registry_params;
            fastcgi_pass registry;""", self.instrumented())

    @staticmethod
    def instrumented():
        """What a build with sanitizers needs of nginx's environment."""
        if "REGISTRY_PRELOAD" not in os.environ:
            return None
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": os.environ["REGISTRY_PRELOAD"],
                "ASAN_OPTIONS": f"{options}:detect_leaks=0".lstrip(":")}

    def filled(self):
        subprocess.run([self.ctl, "rebuild-index", "--root", self.root],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def version(self):
        return first_line(self.worker, "--version")


class Ceiling(Server):
    """Static files at a registry's URLs, and WebDAV: the least that a server
    can do.  Its upload is one bare PUT where a registry needs two or three
    requests, nothing is verified and nothing is synced."""

    name = "nginx"
    durability = "NOTHING is synced, no digest is verified: a ceiling, no peer"
    is_registry = False

    def start(self):
        self.make_root()
        start_nginx(self, "", f"""\
            root                    {self.root};
            client_max_body_size    0;
            client_body_buffer_size 1m;
            dav_methods             PUT DELETE;
            create_full_put_path    on;""")

    def version(self):
        return first_line("nginx", "-v")

    def _place(self, path):
        path = self.root + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def place(self, path, content):
        with open(self._place(path), "wb") as file:
            file.write(content)

    def store_blob(self, repository, blob):
        path = self.blob_path(repository, blob.digest)
        if (repository, blob.digest) not in self.stored:
            shutil.copyfile(blob.path, self._place(path))
            self.verify(path, blob.digest)
            self.stored.add((repository, blob.digest))

    def store_manifest(self, repository, tag, body, media_type):
        for name in (tag, "sha256:" + sha256(body)):
            self.place(f"/v2/{repository}/manifests/{name}", body)

    def refuses_wrong_content(self, repository):
        pass

    def upload_path(self, repository, digest):
        return self.blob_path(repository, digest)

    def unique_blobs(self, repository, head, count):
        return Unique(head, "",
                      [(self.blob_path(repository, digest), number)
                       for digest, number in enumerate_digests(head, count)])

    def blob_file(self, repository, digest):
        return self.root + self.blob_path(repository, digest)


class DockerRegistry(Server):
    name = "docker-registry"
    durability = ("data, links and their directories are synced before 201;"
                  " digests are verified")

    def start(self):
        self.make_root()
        config = self.write("config.yml", f"""\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  delete:
    enabled: true
  filesystem:
    rootdirectory: {self.root}
http:
  addr: {self.host}
  secret: of this run
""")
        process = self.spawn("registry", "docker-registry", "serve", config)
        process.wait_until(self.listens, "docker-registry does not listen")

    def version(self):
        return first_line("docker-registry", "--version")


class Peer(Server):
    """A registry at a URL: not started, not watched, not cleaned."""

    def __init__(self, directory, name, url):
        self.name = name
        found = re.fullmatch(r"http://([^/:]+)(:\d+)?/?", url)
        if not found:
            raise Failed(f"{name}: {url} is not http://HOST:PORT")
        super().__init__(directory,
                         found.group(1) + (found.group(2) or ":80"))

    def start(self):
        if not self.listens():
            raise Failed(f"{self.name}: nothing listens on {self.host}")
