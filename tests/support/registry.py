"""What package clients fetch from, made on the spot: a Python index, an npm registry, a git repository.

Each is a `Site`: request target -> what is there. `serve` makes it a handler's answer.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.origin import SeenRequest, response


@dataclass(frozen=True)
class Resource:
    """A representation; `{origin}` in text or JSON stands for the scheme and authority it was asked for under."""

    content: bytes
    kind: str = "application/octet-stream"


type Site = Mapping[str, Resource]


def serve(site: Site, scheme: str, *, max_age_s: int = 600) -> Callable[[SeenRequest], bytes]:
    """Answers for `support.origin.answer`: with an ETag, fresh for `max_age_s`, 304 to a validator that matches."""

    def reply(seen: SeenRequest) -> bytes:
        resource = site.get(seen.target.partition("?")[0])
        if resource is None:
            return response(404, b"nothing here\n", reason="Not Found")
        content = resource.content
        if resource.kind.startswith(("text/", "application/json")):
            content = content.replace(b"{origin}", f"{scheme}://{seen.get('host')}".encode())
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        fields = [("Content-Type", resource.kind), ("ETag", etag), ("Cache-Control", f"max-age={max_age_s}")]
        if seen.get("if-none-match") == etag:
            return "\r\n".join(["HTTP/1.1 304 Not Modified", *(f"{n}: {v}" for n, v in fields), "", ""]).encode()
        return response(200, content, fields)

    return reply


def python_index(*names: str) -> Site:
    """A simple index (PEP 503) under `/simple/` with a wheel of version 1.0 of each project."""
    site: dict[str, Resource] = {}
    for name in names:
        file = f"{name}-1.0-py3-none-any.whl"
        wheel = _wheel(name)
        link = f'<a href="/files/{file}#sha256={hashlib.sha256(wheel).hexdigest()}">{file}</a>'
        site[f"/simple/{name}/"] = Resource(f"<!doctype html><html><body>{link}</body></html>".encode(), "text/html")
        site[f"/files/{file}"] = Resource(wheel)
    return site


def _wheel(name: str) -> bytes:
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def npm_registry(*names: str) -> Site:
    """A registry at `/` with version 1.0.0 of each package."""
    site: dict[str, Resource] = {}
    for name in names:
        tarball = _tarball(name)
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
        path = f"/{name}/-/{name}-1.0.0.tgz"
        dist = {"tarball": f"{{origin}}{path}", "integrity": integrity}
        version = {"name": name, "version": "1.0.0", "dist": dist}
        packument = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        site[f"/{name}"] = Resource(json.dumps(packument).encode(), "application/json")
        site[path] = Resource(tarball)
    return site


def _tarball(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        content = json.dumps({"name": name, "version": "1.0.0"}).encode()
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def git_repository(directory: Path) -> Site:
    """A repository of two commits at `/repo.git`, as a plain file server has it (git's dumb protocol)."""
    work, bare = directory / "work", directory / "repo.git"
    who = {f"GIT_{role}_{part}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(directory), **who}

    def git(*words: str, cwd: Path) -> None:
        subprocess.run(["git", *words], cwd=cwd, env=environ, check=True, capture_output=True)

    work.mkdir(parents=True)
    git("init", "--initial-branch=main", ".", cwd=work)
    for number in (1, 2):
        (work / "file.txt").write_text(f"version {number}\n")
        git("add", "file.txt", cwd=work)
        git("commit", "-m", f"commit {number}", cwd=work)
    git("clone", "--bare", str(work), str(bare), cwd=directory)
    git("update-server-info", cwd=bare)
    files = [path for path in bare.rglob("*") if path.is_file()]
    return {f"/repo.git/{path.relative_to(bare)}": Resource(path.read_bytes()) for path in files}
