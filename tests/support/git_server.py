"""A Git server over https: `git http-backend` behind Python's, with a certificate of its own."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

GIT_ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *words: str) -> str:
    """Run Git as a person would, and return what it prints."""
    command = ["git", "-c", "protocol.file.allow=always", *words]
    result = subprocess.run(
        command, cwd=folder, env=GIT_ENV, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


class GitServer:
    """Serves the bare repositories below `root`, with a `token` to its holders only.

    Owners in `moved` are answered with a redirect; answers wait while `hold` is not set.
    `authorizations` has the header of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repositories"
        self.root.mkdir(parents=True)
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"),
                # To make an RSA key takes 0.2 s of CPU.
                *("-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )
        self.token: str | None = None
        self.moved: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()
        self.authorizations: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"https://{self.place}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def repository(self, name: str, files: dict[str, str] | None = None) -> Path:
        """Create a bare repository with a first commit; return a clone to push from."""
        bare = self.root / f"{name}.git"
        bare.mkdir(parents=True)
        git(bare, "init", "-q", "--bare", "--initial-branch=main")
        author = self.root.parent / "authors" / name
        author.mkdir(parents=True)
        git(author, "clone", "-q", str(bare), ".")
        git(author, "checkout", "-q", "-B", "main")
        self.push(author, files or {"README": "one\n"})
        return author

    def push(self, author: Path, files: Mapping[str, str | None], *options: str) -> str:
        """Commit and push files (None: removed, `-> x`: a link); return the commit."""
        for name, text in files.items():
            path = author / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            if text is not None and text.startswith("-> "):
                path.symlink_to(text[3:])
            elif text is not None:
                path.write_text(text)
        git(author, "add", "-A")
        git(author, "commit", "-q", "--allow-empty", "-m", "change")
        git(author, "push", "-q", *options, "origin", "HEAD:main")
        return git(author, "rev-parse", "HEAD")


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _answer(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            authorization = self.headers.get("Authorization")
            server.authorizations.append(authorization)
            for name, place in server.moved.items():
                if parts.path.startswith(f"/{name}"):
                    self.send_response(301)
                    self.send_header("Location", f"{place}{self.path}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            if server.token and authorization != _basic(server.token):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            server.hold.wait(60)
            self._serve(parts.path, parts.query, body)

        def _serve(self, path: str, query: str, body: bytes) -> None:
            env = {
                **GIT_ENV,
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }
            result = subprocess.run(
                ["git", "http-backend"], env=env, input=body, capture_output=True, check=False
            )
            head, _, content = result.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
            status = next((v for k, v in lines if k == "Status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for key, value in lines:
                if key not in ("Status", "Content-Length"):
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
