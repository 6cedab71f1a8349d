"""What is measured.

A workload prepares a target (stores what it needs there and verifies status
and bytes), runs for some seconds, and cleans up.  Nothing that prepare() or
finish() does is timed.

    workload.prepare(target)
    sample = workload.run(target, seconds)
    workload.finish(target)
    value = workload.value(sample)         # in workload.unit
"""

import hashlib
import json
import os
import random
import threading
import time

from load import (Sample, Wire, WrongAnswer, ab_head, request, stream,
                  wrk_list, wrk_unique)
from servers import sha256, with_digest, without_host

KIB, MIB = 1 << 10, 1 << 20

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
OCTETS = "application/octet-stream"
ACCEPT = {"Accept": MANIFEST}

IMAGE = "bench/image"


class Blob:
    """Content that follows from its size, in a file, with its digest."""

    def __init__(self, directory, size):
        self.size = size
        self.path = os.path.join(directory, f"blob-{size}")
        running = hashlib.sha256()
        block = hashlib.shake_128(b"%d" % size).digest(min(size, 4 * MIB))
        with open(self.path, "wb") as file:
            for number in range(0, size, len(block)):
                part = b"%016x" % number + block[16:]
                running.update(part)
                file.write(part)
        self.digest = "sha256:" + running.hexdigest()


class Fixtures:
    """The blobs and the image that the workloads share, made when asked."""

    def __init__(self, directory, connections):
        self.directory = directory
        self.connections = connections
        self.blobs = {}
        self.template = None

    def blob(self, size):
        if size not in self.blobs:
            self.blobs[size] = Blob(self.directory, size)
        return self.blobs[size]

    def image(self, note=""):
        """A manifest of one layer."""
        def descriptor(media_type, size):
            return {"mediaType": media_type, "size": size,
                    "digest": self.blob(size).digest}

        return json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(CONFIG, 2 * KIB),
            "layers": [descriptor(LAYER, KIB), descriptor(LAYER, 64 * KIB)],
            "annotations": {"org.example.note": note},
        })

    def store_image_blobs(self, target, repository):
        for size in (KIB, 2 * KIB, 64 * KIB):
            target.store_blob(repository, self.blob(size))


class Workload:
    unit = "req/s"
    turns = 1                   # of each server in a round

    def __init__(self, name, fixtures):
        self.name = name
        self.fixtures = fixtures

    def finish(self, target):
        pass

    def value(self, sample):
        return sample.operations / sample.seconds


# ---- downloads -------------------------------------------------------------

class BlobGet(Workload):
    """What comes near a bare nginx, so that a twentieth counts."""
    turns = 3

    def __init__(self, name, fixtures, size):
        super().__init__(name, fixtures)
        self.size = size

    def prepare(self, target):
        blob = self.fixtures.blob(self.size)
        target.store_blob(IMAGE, blob)
        target.cache_blob(IMAGE, blob)
        self.path = target.blob_path(IMAGE, blob.digest)

    def run(self, target, seconds):
        return wrk_list(target, [request(target, "GET", self.path)],
                        self.fixtures.connections, seconds)


class BlobHead(BlobGet):
    def prepare(self, target):
        super().prepare(target)
        headers, _ = target.ask("HEAD", self.path, 200)
        if int(headers["content-length"]) != self.size:
            raise WrongAnswer(f"HEAD {self.path}: wrong length")

    def run(self, target, seconds):
        return ab_head(target, self.path, {}, self.fixtures.connections,
                       seconds)


class BlobStream(BlobGet):
    """One client that reads a large blob from begin to end."""
    unit = "GB/s"

    def run(self, target, seconds):
        return stream(target, self.path, self.size, seconds)

    def value(self, sample):
        return sample.bytes / sample.seconds / 1e9


class BlobRange(BlobGet):
    """64 KiB from anywhere in a large blob."""
    LENGTH = 64 * KIB

    def prepare(self, target):
        super().prepare(target)
        choose = random.Random(1)
        starts = [choose.randrange(self.size - self.LENGTH)
                  for _ in range(256)]
        self.ranges = [f"bytes={start}-{start + self.LENGTH - 1}"
                       for start in starts]

        with open(self.fixtures.blob(self.size).path, "rb") as file:
            file.seek(starts[0])
            expected = file.read(self.LENGTH)
        _, body = target.ask("GET", self.path, 206,
                             headers={"Range": self.ranges[0]})
        if body != expected:
            raise WrongAnswer(f"{self.path}: wrong bytes for a range")

    def run(self, target, seconds):
        return wrk_list(
            target, [request(target, "GET", self.path, {"Range": one})
                     for one in self.ranges],
            self.fixtures.connections, seconds)


class Manifest(Workload):
    def __init__(self, name, fixtures, method, by):
        super().__init__(name, fixtures)
        self.method, self.by = method, by

    def prepare(self, target):
        body = self.fixtures.image()
        self.fixtures.store_image_blobs(target, IMAGE)
        target.store_manifest(IMAGE, "latest", body.encode(), MANIFEST)
        digest = "sha256:" + sha256(body.encode())
        reference = "latest" if self.by == "tag" else digest
        self.path = f"/v2/{IMAGE}/manifests/{reference}"

        target.verify(self.path, digest, ACCEPT)
        headers, _ = target.ask("HEAD", self.path, 200, headers=ACCEPT)
        if int(headers["content-length"]) != len(body):
            raise WrongAnswer(f"HEAD {self.path}: wrong length")
        if target.is_registry and headers["docker-content-digest"] != digest:
            raise WrongAnswer(f"HEAD {self.path}: wrong digest")

    def run(self, target, seconds):
        connections = self.fixtures.connections
        if self.method == "HEAD":
            return ab_head(target, self.path, ACCEPT, connections, seconds)
        return wrk_list(target, [request(target, "GET", self.path, ACCEPT)],
                        connections, seconds)


# ---- uploads ---------------------------------------------------------------

class Template:
    """64 MiB that become many different uploads by sixteen bytes at the end:
    the digest of each costs nothing."""

    CHUNK = 32 * KIB            # what docker's client sends at a time
    TAIL = 16

    def __init__(self, blob):
        self.size = blob.size + self.TAIL
        self.plain = open(blob.path, "rb")
        self.chunked = open(blob.path + "-chunked", "wb+")
        self.running = hashlib.sha256()
        while part := self.plain.read(self.CHUNK):
            self.running.update(part)
            self.chunked.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.chunked.flush()
        self.chunked_size = self.chunked.tell()

    def next(self):
        tail = os.urandom(self.TAIL // 2).hex().encode()
        running = self.running.copy()
        running.update(tail)
        return tail, "sha256:" + running.hexdigest()


class Upload(Workload):
    """Whole layers, by one PUT or by docker's PATCH and PUT; the bare server
    gets one PUT of the same encoding."""

    unit = "MB/s"
    repository = "bench/upload"
    limit = 12                  # uploads of a block: the disk is not endless

    def __init__(self, name, fixtures, size, chunked, clients):
        super().__init__(name, fixtures)
        self.size, self.chunked, self.clients = size, chunked, clients

    def prepare(self, target):
        if self.fixtures.template is None:
            self.fixtures.template = Template(self.fixtures.blob(self.size))
        self.template = self.fixtures.template
        target.refuses_wrong_content(self.repository)
        if target.root:
            target.forget(self.repository, self._one_client(target, 1, 0))
        os.sync()

    def run(self, target, seconds):
        self.done, failures = [], []

        def client():
            try:
                self.done += self._one_client(
                    target, self.limit // self.clients, seconds)
            except Exception as error:      # raised again by the main thread
                failures.append(error)

        begin = time.perf_counter()
        threads = [threading.Thread(target=client)
                   for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - begin
        if failures:
            raise failures[0]

        return Sample(len(self.done), taken,
                      len(self.done) * self.template.size)

    def value(self, sample):
        return sample.bytes / sample.seconds / 1e6

    def finish(self, target):
        target.verify(target.blob_path(self.repository, self.done[0]),
                      self.done[0])
        target.forget(self.repository, self.done)

    def _one_client(self, target, limit, seconds):
        wire, digests, begin = Wire(target), [], time.perf_counter()
        while len(digests) < limit and (
                not digests or time.perf_counter() - begin < seconds):
            tail, digest = self.template.next()
            self._upload(target, wire, tail, digest)
            digests.append(digest)
        wire.close()
        return digests

    def _upload(self, target, wire, tail, digest):
        path = target.upload_path(self.repository, digest)
        bare = path is not None
        if not bare:
            wire.send(request(target, "POST",
                              f"/v2/{self.repository}/blobs/uploads/",
                              {"Content-Length": 0}))
            path = without_host(wire.answer(202)["location"])
            if not self.chunked:
                path = with_digest(path, digest)

        method = "PATCH" if self.chunked and not bare else "PUT"
        if self.chunked:
            wire.send(request(target, method, path, {
                "Content-Type": OCTETS, "Transfer-Encoding": "chunked"}))
            wire.send_file(self.template.chunked, self.template.chunked_size)
            wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(tail), tail))
        else:
            wire.send(request(target, method, path, {
                "Content-Type": OCTETS,
                "Content-Length": self.template.size}))
            wire.send_file(self.template.plain,
                           self.template.size - len(tail))
            wire.send(tail)
        answer = wire.answer(202 if method == "PATCH" else 201)

        if method == "PATCH":
            wire.send(request(
                target, "PUT",
                with_digest(without_host(answer["location"]), digest),
                {"Content-Length": 0}))
            answer = wire.answer(201)
        if not bare and answer.get("docker-content-digest") != digest:
            raise WrongAnswer("an upload was answered with another digest")


class Unique(Workload):
    """Small bodies, each of them new, as many as the server can store."""

    amount = 20000              # more than any server stores in a block
    connections = 0
    sample = 6                  # surely sent: wrk drops its first requests

    def run(self, target, seconds):
        return wrk_unique(target, self.bodies, self.content_type,
                          self.connections, seconds)


class SmallPush(Unique):
    unit = "push/s"
    repository = "bench/small"
    connections = 8
    content_type = OCTETS

    def prepare(self, target):
        target.refuses_wrong_content(self.repository)
        salt = os.urandom(8).hex()
        self.head = (salt + "." * 4096)[:4096 - 12]
        self.bodies = target.unique_blobs(self.repository, self.head,
                                          self.amount)

    def finish(self, target):
        digests = [item[0] for item in self.bodies.items]
        if not target.is_registry:
            digests = [path.rsplit("/", 1)[1] for path in digests]
        one = digests[self.sample]
        target.verify(target.blob_path(self.repository, one), one)


class ManifestPut(Unique):
    repository = "bench/put"
    connections = 4
    content_type = MANIFEST

    def prepare(self, target):
        self.fixtures.store_image_blobs(target, self.repository)
        self.head, self.tail = self.fixtures.image(
            os.urandom(8).hex() + "@").split("@")
        self.bodies = target.unique_manifests(
            self.repository, self.head, self.tail, self.amount)
        if not target.is_registry:
            target.store_manifest(self.repository, "any", b"", MANIFEST)

    def finish(self, target):
        path, number = self.bodies.items[self.sample]
        body = self.head + "%012d" % number + self.tail
        target.verify(path, sha256(body.encode()), ACCEPT)


def all_workloads(fixtures):
    from lists import CatalogPage, TagGet, TagPage      # built on this file

    big = 256 * MIB
    layer = 64 * MIB
    return [
        BlobGet("blob_get_1k", fixtures, KIB),
        BlobGet("blob_get_64k", fixtures, 64 * KIB),
        BlobGet("blob_get_1m", fixtures, MIB),
        BlobStream("blob_get_256m", fixtures, big),
        BlobRange("blob_range", fixtures, big),
        BlobHead("blob_head", fixtures, 64 * KIB),
        Manifest("manifest_get_tag", fixtures, "GET", "tag"),
        Manifest("manifest_get_digest", fixtures, "GET", "digest"),
        Manifest("manifest_head_tag", fixtures, "HEAD", "tag"),
        Manifest("manifest_head_digest", fixtures, "HEAD", "digest"),
        # before anybody removes files: ext4 without a journal looks at each
        # of them again, for five minutes, when it makes one
        ManifestPut("manifest_put", fixtures),
        SmallPush("small_push", fixtures),
        Upload("upload_mono.c1", fixtures, layer, False, 1),
        Upload("upload_chunked.c1", fixtures, layer, True, 1),
        Upload("upload_mono.c4", fixtures, layer, False, 4),
        Upload("upload_chunked.c4", fixtures, layer, True, 4),
        TagPage("tags_page_1k", fixtures, 1000),
        TagPage("tags_page_50k", fixtures, 50000),
        TagGet("tag_get_1k", fixtures, 1000),
        TagGet("tag_get_50k", fixtures, 50000),
        CatalogPage("catalog_page_10k", fixtures, 10000),
    ]


# workload, factor, of whom: the least that "ours" must reach.
MINIMUMS = [
    ("blob_get_1k", 0.90, "nginx"),
    ("blob_get_1k", 20, "docker-registry"),
    ("blob_get_64k", 0.90, "nginx"),
    ("blob_get_64k", 20, "docker-registry"),
    ("blob_get_1m", 0.95, "nginx"),
    ("blob_get_256m", 0.95, "nginx"),
    ("blob_range", 0.90, "nginx"),
    ("blob_head", 0.85, "nginx"),
    ("manifest_get_tag", 12, "docker-registry"),
    ("manifest_get_digest", 12, "docker-registry"),
    ("manifest_head_tag", 12, "docker-registry"),
    ("manifest_head_digest", 12, "docker-registry"),
    ("upload_mono.c1", 4, "docker-registry"),
    ("upload_chunked.c1", 4, "docker-registry"),
    ("small_push", 5, "docker-registry"),
    ("manifest_put", 5, "docker-registry"),
    ("catalog_page_10k", 50, "docker-registry"),
]

# workload, factor, of which other workload: of "ours" alone.
WITHIN = [
    ("tags_page_50k", 0.5, "tags_page_1k"),
    ("tag_get_50k", 0.95, "tag_get_1k"),
]
