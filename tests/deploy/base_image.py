"""A base image made of this machine's own Python, in the place of the one that deploy/Dockerfile would pull."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pip

LEFT_OUT: Final = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip"} | {
    "site-packages",
    "dist-packages",
}
"""Of the standard library: what no service imports."""
WHEELS_MAY_USE: Final = ("libgcc_s.so.1", "libstdc++.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0")
"""Of what manylinux wheels may take for granted (PEP 600), the libraries that ours do."""
PASSED_ON: Final = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Where this machine's pip finds packages, pip finds them while an image is built."""


def write(file: Path) -> list[str]:
    """Packs the base; what `docker import --change` is to be told besides."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library, binary = Path(sysconfig.get_path("stdlib")), Path(sys.executable).resolve()
    with tarfile.open(file, "w", dereference=False) as tar:
        for name, mode in (("tmp", 0o1777), ("etc", 0o755), ("usr/local/bin", 0o755)):
            tar.addfile(_folder(name, mode))
        _put(tar, binary, f"usr/local/bin/{version}")
        _link(tar, "usr/local/bin/python", version)
        for path in _standard_library(library):
            _put(tar, path, f"usr/local/lib/{version}/{path.relative_to(library)}")
        for path in _files(Path(pip.__file__).parent):
            _put(tar, path, f"usr/local/lib/{version}/pip/{path.relative_to(Path(pip.__file__).parent)}")
        shell = Path(shutil.which("dash") or "/bin/sh").resolve()
        _put(tar, shell, "bin/sh")
        for place in sorted(_libraries([binary, shell, *library.glob("lib-dynload/*.so")])):
            _put(tar, Path(place).resolve(), place.lstrip("/"))
        for path in (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pip.conf")):
            if path.exists():
                _put(tar, path.resolve(), str(path).lstrip("/"))
    told = {name: os.environ[name] for name in (*PASSED_ON, *map(str.lower, PASSED_ON)) if os.environ.get(name)}
    return [f"ENV PATH=/usr/local/bin:/bin {' '.join(f'{name}={value}' for name, value in told.items())}".rstrip()]


def _standard_library(library: Path) -> Iterator[Path]:
    return (path for path in _files(library) if not LEFT_OUT & set(path.relative_to(library).parts))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in {".a", ".pyc"})


def _libraries(programs: Iterable[Path]) -> set[str]:
    """Where the dynamic linker finds what they are linked with, itself included."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True).stdout
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    wheels = {where for name, where in re.findall(r"^\s*(\S+) \(.*\) => (\S+)$", known, re.M) if name in WHEELS_MAY_USE}
    return set(re.findall(r"(/\S+) \(0x", said)) | wheels


def _put(tar: tarfile.TarFile, path: Path, place: str) -> None:
    entry = tar.gettarinfo(path, place)
    entry.uid = entry.gid = 0
    entry.mode |= 0o444
    with path.open("rb") as content:
        tar.addfile(entry, content)


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    return entry


def _link(tar: tarfile.TarFile, place: str, to: str) -> None:
    entry = tarfile.TarInfo(place)
    entry.type, entry.linkname = tarfile.SYMTYPE, to
    tar.addfile(entry, io.BytesIO())
