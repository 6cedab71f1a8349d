"""Lists and tags of large repositories, and a large catalog.

The trees are filled on disk, behind the servers' backs: to push 50 000 tags
would take each of them minutes.  The bare nginx has one file with the page.
"""

import json
import os

from load import WrongAnswer, request, wrk_list
from workloads import ACCEPT, MANIFEST, Workload, sha256

PAGE = 100


class Lists(Workload):
    """One page of a list, over and over."""

    key = ""

    def prepare(self, target):
        if self.name not in target.stored:
            if target.is_registry:
                if not target.root:
                    raise WrongAnswer("its tree is not ours to fill")
                self.fill(target)
                target.filled()
            else:
                self.store_page(target)
            target.stored.add(self.name)
        _, body = target.ask("GET", self.path + "?n=%d" % PAGE, 200)
        # docker-registry knows no pages of tags: it sends them all
        if sorted(json.loads(body)[self.key])[:PAGE] != self.names()[:PAGE]:
            raise WrongAnswer(f"{self.path}: another page than there is")

    def run(self, target, seconds):
        return wrk_list(
            target, [request(target, "GET", self.path + "?n=%d" % PAGE)],
            self.fixtures.connections, seconds)

    def store_page(self, target):
        target.place(self.path,
                     json.dumps({self.key: self.names()[:PAGE]}).encode())

    def store_image(self, target, repository, tag):
        body = self.fixtures.image().encode()
        self.fixtures.store_image_blobs(target, repository)
        target.store_manifest(repository, tag, body, MANIFEST)
        return "sha256:" + sha256(body)


class TagPage(Lists):
    key = "tags"

    def __init__(self, name, fixtures, count):
        super().__init__(name, fixtures)
        self.count = count
        self.repository = f"bench/tags-{count}"
        self.path = f"/v2/{self.repository}/tags/list"

    def names(self):
        return ["v1.%05d-build" % n for n in range(self.count)]

    def fill(self, target):
        tags = (f"{target.root}/docker/registry/v2/repositories/"
                f"{self.repository}/_manifests/tags")
        first, *others = self.names()
        if os.path.exists(f"{tags}/{others[-1]}"):
            return
        self.store_image(target, self.repository, first)
        for name in others:
            os.makedirs(f"{tags}/{name}/current")
            os.link(f"{tags}/{first}/current/link",
                    f"{tags}/{name}/current/link")


class TagGet(TagPage):
    """A manifest by its tag."""
    turns = 3

    def prepare(self, target):
        tag = self.names()[self.count // 2]
        if target.is_registry:
            super().prepare(target)
        else:
            self.store_image(target, self.repository, tag)
        self.manifest = f"/v2/{self.repository}/manifests/{tag}"
        target.verify(self.manifest, sha256(self.fixtures.image().encode()),
                      ACCEPT)

    def run(self, target, seconds):
        return wrk_list(target,
                        [request(target, "GET", self.manifest, ACCEPT)],
                        self.fixtures.connections, seconds)


class CatalogPage(Lists):
    key = "repositories"
    path = "/v2/_catalog"

    def __init__(self, name, fixtures, count):
        super().__init__(name, fixtures)
        self.count = count

    def names(self):
        # before every other repository of the benchmark
        return ["a-team/app-%05d" % n for n in range(self.count)]

    def fill(self, target):
        top = f"{target.root}/docker/registry/v2/repositories"
        first, *others = self.names()
        digest = self.store_image(target, first, "latest")
        below = ("_manifests/revisions/sha256/"
                 + digest.removeprefix("sha256:"))
        for name in others:
            os.makedirs(f"{top}/{name}/{below}")
            os.makedirs(f"{top}/{name}/_layers/sha256")
            os.link(f"{top}/{first}/{below}/link",
                    f"{top}/{name}/{below}/link")
