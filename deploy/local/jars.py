"""Kafka's jars: fetched once, and checked against the committed sums before Java sees them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.trouble import Trouble

LOCK = Path(__file__).with_name("kafka.lock")
TRIES = 3

Progress = Callable[[int, int], None]
"""Called with (jars here, jars in all) before the first download and after each."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One entry of the lock: a Maven coordinate and the SHA-256 its bytes must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of the lock file, in its order."""
    rows = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows]


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ensure(folder: Path, jars: Sequence[Jar], progress: Progress = lambda here, total: None) -> list[Path]:
    """Every jar of the lock, in `folder`; absent ones are fetched, and every sum is checked every time.

    Raises Trouble when a sum differs, when an absent jar cannot be fetched, or when the folder cannot be written.
    """
    if _absent(folder, jars):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                _fetch(folder, _absent(folder, jars), len(jars), progress)
        except OSError as error:
            raise cannot_write(folder, error) from error
    _refuse_falsified(folder, jars)
    return [folder / jar.filename for jar in jars]


def cannot_write(folder: Path, error: OSError) -> Trouble:
    """The sentence for a folder that takes no file: no space, no permission, or what the system says."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Trouble(f"no disk space left for {folder}", "free some (the embedded servers want about 1 GB)")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Trouble(f"no permission to write {folder}", "make it yours (chown), or run from a folder that is")
    return Trouble(f"cannot write {folder} ({error.strerror or error})", "look at the disk and try again")


def _absent(folder: Path, jars: Sequence[Jar]) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.filename).exists()]


def _refuse_falsified(folder: Path, jars: Sequence[Jar]) -> None:
    wrong = [jar.filename for jar in jars if sha256(folder / jar.filename) != jar.sha256]
    if wrong:
        raise Trouble(
            f"{', '.join(wrong)} in {folder} is not the file that {LOCK.name} names, so Java is not started",
            "delete it and try again; should it come back, your Maven repository does not serve the original",
        )


def _fetch(folder: Path, missing: Sequence[Jar], total: int, progress: Progress) -> None:
    """Downloads side by side; a jar gets its place in `folder` only when it is whole."""
    incoming = folder / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    here = total - len(missing)
    progress(here, total)
    pool = ThreadPoolExecutor(max_workers=6)
    try:
        fetches = {pool.submit(_download, jar, incoming): jar for jar in missing}
        for fetch in as_completed(fetches):
            fetch.result().replace(folder / fetches[fetch].filename)
            here += 1
            progress(here, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(incoming, ignore_errors=True)


def _download(jar: Jar, incoming: Path) -> Path:
    """One jar by jgo: from a Maven repository of this machine if it has it, else from the remote ones jgo knows."""
    # Imported here: a stack whose jars are all present needs no HTTP client.
    import requests
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL, default_maven_repo
    from jgo.maven import MavenContext, PythonResolver

    remotes = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    for attempt in range(1, TRIES + 1):
        own = incoming / f"{jar.artifact}-{attempt}"
        context = MavenContext(
            resolver=PythonResolver(),
            repo_cache=own,
            local_repos=[default_maven_repo()],
            remote_repos=remotes,
            timeout=30,
        )
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            found = Path(artifact.resolve())
        except (requests.RequestException, RuntimeError) as error:
            if attempt == TRIES:
                raise Trouble(
                    f"cannot fetch Kafka's jar {jar.coordinate} ({type(error).__name__})",
                    "the first start needs the network (a proxy goes into HTTPS_PROXY, "
                    "a mirror into [repositories] of ~/.config/jgo.conf), later ones do not",
                ) from error
            continue
        return found if found.is_relative_to(own) else Path(shutil.copy(found, incoming))
    raise AssertionError("unreachable")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Sessions side by side share the cache: one fetches, the others wait and find everything there."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
