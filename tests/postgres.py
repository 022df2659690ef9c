"""A throw-away PostgreSQL for the tests, from the server binaries of the machine."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder with initdb, from the newest server installed, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def server() -> Iterator[str]:
    """Start a cluster on a free local port and yield its URL. The server refuses to run as root: another user does."""
    folder = binaries()
    assert folder is not None
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _unprivileged()
    if user:
        shutil.chown(home, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = {
        "user": user,
        "stdout": subprocess.DEVNULL,
        "cwd": home,
        "env": {**os.environ, "LC_ALL": "C.UTF-8"},
    }
    subprocess.run(
        [folder / "initdb", "-D", home / "data", "-A", "trust", "-U", "test", "-E", "UTF8"], check=True, **run
    )
    options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}",
               "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]  # fmt: skip
    process = subprocess.Popen([folder / "postgres", "-D", home / "data", *options], stderr=subprocess.DEVNULL, **run)
    try:
        _wait(port)
        yield f"postgresql://test@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(0.3)
            return
    raise RuntimeError("the test PostgreSQL did not start")
