"""Processes that draw ports side by side, each of which listens on its own only later."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.ports import LOOPBACK, PROMISED_SECONDS, free_port


@pytest.fixture
def promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is noted who was promised which port: nobody yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tocsin-ports-{os.getuid()}"


def drawing(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> Iterator[int]:
    """These come out of the urn next."""
    left = iter(numbers)
    monkeypatch.setattr(ports.random, "randrange", lambda *_: next(left))
    return left


def test_a_port_is_promised_once(promises: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing(monkeypatch, 20001, 20001, 20001, 20002)
    assert free_port() == 20001
    assert free_port() == 20002


def test_an_old_promise_binds_nobody(promises: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing(monkeypatch, 20001, 20001)
    assert free_port() == 20001
    (promise,) = promises.iterdir()
    made = promise.stat().st_mtime - PROMISED_SECONDS
    os.utime(promise, (made, made))
    assert free_port() == 20001


def test_where_somebody_listens_nobody_is_sent(promises: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        drawing(monkeypatch, other.getsockname()[1], 20002)
        assert free_port() == 20002
