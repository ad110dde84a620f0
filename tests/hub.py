"""A stand-in for the Hugging Face hub: repositories in memory, served as the hub serves them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """A data set or a model: commits, and the branches that name them."""

    kind: str
    """`datasets` or `models`, as in the addresses."""

    id: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    is_private: bool = False

    def push(self, files: Mapping[str, bytes | str], *, branch: str = "main") -> str:
        """Put a new commit with these files on a branch; its name."""
        content = {name: x.encode() if isinstance(x, str) else x for name, x in files.items()}
        seed = f"{self.id}{len(self.commits)}".encode()
        commit = hashlib.sha1(seed, usedforsecurity=False).hexdigest()
        self.commits[commit] = content
        self.branches[branch] = commit
        return commit

    def push_folder(self, folder: Path) -> str:
        """Put the files of a folder on the branch `main`."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        return self.push({p.relative_to(folder).as_posix(): p.read_bytes() for p in files})


class Hub:
    """All repositories, and what was asked of them."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.asked: list[str] = []
        """Method and path of every request."""

        self.is_down = False
        """Whether every answer is that the server is at fault."""

        self.address = ""
        self.token = ""
        """Who may write: nobody while it is empty."""

        self.uploads: dict[str, bytes] = {}
        """Large files by their SHA-256, before a commit names them."""

        self.created: list[dict[str, Any]] = []
        """What was said of each repository that was to be made."""

    def dataset(self, name: str) -> Repository:
        """A new data set."""
        return self._add("datasets", name)

    def model(self, name: str) -> Repository:
        """A new model."""
        return self._add("models", name)

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to take this for the hub; `home` is where it keeps what it downloads."""
        return {
            "HF_ENDPOINT": self.address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
        }  # fmt: skip

    def _add(self, kind: str, name: str) -> Repository:
        return self.repositories.setdefault((kind, name), Repository(kind, name))


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Missing(Exception):
    """There is no such thing; the argument is the hub's word for it."""


class _Refused(Exception):
    """It may not be done; the argument is the status."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.is_down:
            self._send(500, b"out of order", {})
            return
        try:
            content, headers = self._find(path.split("/"), body)
        except _Refused as refused:
            self._send(int(str(refused)), b"{}", {"X-Error-Message": "not for this token"})
            return
        except _Missing as missing:
            self._send(404, b"", {"X-Error-Code": str(missing), "X-Error-Message": str(missing)})
            return
        self._send(200, content, headers)

    def _find(self, parts: list[str], body: bytes) -> tuple[bytes, dict[str, str]]:
        if self.command in ("POST", "PUT") and (written := self._write(parts, body)) is not None:
            return written
        if parts[0] == "api":
            kind, (name, rest) = parts[1], _split(parts[2:], ("revision", "tree", "paths-info"))
            repository = self._repository(kind, name)
            verb, rest = (rest[0], rest[1:]) if rest else ("revision", ["main"])
            commit = _commit(repository, rest[0])
            files = repository.commits[commit]
            if verb == "revision":
                return _json(_info(repository, commit))
            if verb == "tree":
                return _json(_tree(files, "/".join(rest[1:])))
            wanted = _paths(body, self.headers.get("Content-Type", ""))
            return _json([entry for entry in _tree(files, "") if entry["path"] in wanted])
        kind = "datasets" if parts[0] == "datasets" else "models"
        name, rest = _split(parts[kind == "datasets" :], ("resolve",))
        if not rest:
            raise _Missing("EntryNotFound")
        repository = self._repository(kind, name)
        commit = _commit(repository, rest[1])
        file = repository.commits[commit].get("/".join(rest[2:]))
        if file is None:
            self.extra = {"X-Repo-Commit": commit}
            raise _Missing("EntryNotFound")
        etag = hashlib.sha256(file).hexdigest()
        return file, {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "none"}

    def _write(self, parts: list[str], body: bytes) -> tuple[bytes, dict[str, str]] | None:
        """The answer to what changes the hub; None for questions."""
        if parts[-1] == "validate-yaml":
            return _json({"errors": [], "warnings": []})
        writes = {"create", "preupload", "branch", "batch", "commit", "large"} & set(parts)
        if not writes:
            return None
        is_known = self.headers.get("Authorization") == f"Bearer {self.hub.token or None}"
        if not is_known and parts[0] != "large":  # whose address is a secret in itself
            raise _Refused("403")
        if parts[0] == "large":
            assert hashlib.sha256(body).hexdigest() == parts[1]
            self.hub.uploads[parts[1]] = body
            return b"", {}
        said: Any = (
            [json.loads(line) for line in body.splitlines()]
            if "commit" in parts
            else json.loads(body)
        )
        if "create" in parts:
            name = f"{said['organization']}/{said['name']}"
            self.hub.created.append(said)
            if ("models", name) not in self.hub.repositories:
                made = self.hub.model(name)
                made.is_private = said.get("visibility") == "private"
                made.push({".gitattributes": "*.safetensors filter=lfs\n"})
            return _json({"url": f"{self.hub.address}/{name}", "id": name})
        if "batch" in parts:
            return _json(
                {"transfer": "basic", "objects": [self._upload(each) for each in said["objects"]]}
            )
        name, (verb, branch) = _split(parts[2:], ("preupload", "branch", "commit"))
        repository = self._repository("models", name)
        if verb == "preupload":
            return _json({"files": [_mode(file) for file in said["files"]]})
        if verb == "branch":
            repository.branches.setdefault(branch, repository.branches["main"])
            return _json({})
        return _json(self._commit(repository, branch, said))

    def _upload(self, wanted: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.hub.address}/large/{wanted['oid']}"
        return {**wanted, "actions": {"upload": {"href": href, "header": {}}}}

    def _commit(self, repository: Repository, branch: str, lines: Any) -> dict[str, Any]:
        files: dict[str, bytes | str] = {**repository.commits[_commit(repository, branch)]}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        commit = repository.push(files, branch=branch)
        url = f"{self.hub.address}/{repository.id}/commit/{commit}"
        return {"commitUrl": url, "commitOid": commit, "pullRequestUrl": None}

    def _repository(self, kind: str, name: str) -> Repository:
        try:
            return self.hub.repositories[kind, name]
        except KeyError:
            raise _Missing("RepoNotFound") from None

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**self.__dict__.pop("extra", {}), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _split(parts: list[str], verbs: tuple[str, ...]) -> tuple[str, list[str]]:
    """The repository's id, of one part or two, and what follows it."""
    at = next((i for i, part in enumerate(parts) if i and part in verbs), len(parts))
    return "/".join(parts[:at]), parts[at:]


def _commit(repository: Repository, revision: str) -> str:
    commit = repository.branches.get(revision, revision)
    if commit not in repository.commits:
        raise _Missing("RevisionNotFound")
    return commit


def _info(repository: Repository, commit: str) -> dict[str, Any]:
    return {
        "_id": "1", "id": repository.id, "author": "someone", "sha": commit, "private": repository.is_private,
        "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": [],
        "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z",
        "siblings": [{"rfilename": name} for name in sorted(repository.commits[commit])],
    }  # fmt: skip


def _tree(files: Mapping[str, bytes], below: str) -> list[dict[str, Any]]:
    folders = {"/".join(n.split("/")[:i]) for n in files for i in range(1, n.count("/") + 1)}
    inside = f"{below}/" if below else ""
    if below and below not in folders:
        raise _Missing("EntryNotFound")
    entries = [
        {
            "type": "file",
            "path": name,
            "size": len(content),
            "oid": hashlib.sha256(content).hexdigest()[:40],
        }
        for name, content in files.items()
    ]
    entries += [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in folders]
    return sorted((e for e in entries if e["path"].startswith(inside)), key=lambda e: e["path"])


def _paths(body: bytes, kind: str) -> list[str]:
    if "json" in kind:
        return list(json.loads(body)["paths"])
    from urllib.parse import parse_qs

    return parse_qs(body.decode())["paths"]


def _mode(file: Mapping[str, Any]) -> dict[str, Any]:
    """How a file is to be sent: weights go by an address of their own."""
    mode = "lfs" if file["path"].endswith(".safetensors") else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}


def _json(data: Any) -> tuple[bytes, dict[str, str]]:
    return json.dumps(data).encode(), {"Content-Type": "application/json"}
