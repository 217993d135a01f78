"""Kafka's jars are fetched once, whole, and believed only when their sums are those of the lock."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local.jars import Jar, cannot_write, ensure, locked
from deploy.local.kafka import VERSION
from deploy.local.ports import free_port
from deploy.local.trouble import Trouble


class Mirror:
    """A Maven repository of two jars on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jars = [self.publish(name, name.encode() * 1000) for name in ("one", "two")]

    def publish(self, name: str, content: bytes) -> Jar:
        place = self.folder / "org" / "example" / name / "1.0"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}-1.0.jar").write_bytes(content)
        return Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """The mirror, named in jgo's configuration as a user would name it."""
    mirror = Mirror(tmp_path / "mirror")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror.folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use(monkeypatch, tmp_path, f"http://127.0.0.1:{server.server_port}")
    yield mirror
    server.shutdown()
    server.server_close()


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str) -> None:
    (folder / "jgo.conf").write_text(f"[repositories]\ncentral = {address}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(folder / "jgo.conf"))
    monkeypatch.setenv("M2_REPO", str(folder / "m2"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_absent_jars_are_fetched_once_with_progress(mirror: Mirror, tmp_path: Path) -> None:
    """The second time needs no repository."""
    seen: list[tuple[int, int]] = []
    paths = ensure(tmp_path / "cache", mirror.jars, lambda here, total: seen.append((here, total)))
    assert [path.name for path in paths] == ["one-1.0.jar", "two-1.0.jar"]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    (mirror.folder / "org").rename(mirror.folder / "gone")
    assert ensure(tmp_path / "cache", mirror.jars, lambda here, total: seen.append((here, total))) == paths
    assert len(seen) == 3


def test_a_falsified_download_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    """What the repository serves is not what the lock names: Java is not started."""
    mirror.publish("two", b"something else")
    with pytest.raises(Trouble, match=r"two-1\.0\.jar .*is not the file that kafka\.lock names"):
        ensure(tmp_path / "cache", mirror.jars)


def test_a_jar_falsified_later_is_refused_too(mirror: Mirror, tmp_path: Path) -> None:
    """The sums are checked at every start; once the file is deleted the original is fetched again."""
    one, _ = ensure(tmp_path / "cache", mirror.jars)
    one.write_bytes(one.read_bytes()[:-1] + b"x")
    with pytest.raises(Trouble, match=r"one-1\.0\.jar .*delete it and try again"):
        ensure(tmp_path / "cache", mirror.jars)
    one.unlink()
    ensure(tmp_path / "cache", mirror.jars)


def test_no_network_for_the_first_fetch_is_one_sentence(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the jar and the remedy; nothing half stays behind."""
    use(monkeypatch, tmp_path, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Trouble, match=r"cannot fetch Kafka's jar org\.example:\w+:1\.0 .*needs the network"):
        ensure(tmp_path / "cache", mirror.jars)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no disk space left"), (errno.EACCES, "no permission to write"), (errno.EIO, "cannot write")],
)
def test_a_folder_that_takes_no_file_is_one_sentence(number: int, words: str) -> None:
    """Each reason has its own words and remedy."""
    assert str(cannot_write(Path("/srv/x"), OSError(number, "so it is"))).startswith(words)


def test_the_lock_is_of_the_version_we_start() -> None:
    """One version in the code, the same one in the lock, and a sum for every jar."""
    jars = locked()
    assert [jar.version for jar in jars if jar.artifact == "kafka_2.13"] == [VERSION]
    assert all(len(jar.sha256) == 64 for jar in jars) and len({jar.filename for jar in jars}) == len(jars) == 45
