"""What helps is said in the words of whoever runs the services."""

from __future__ import annotations

import pytest

from cli.ways import COMPOSE, KUBERNETES, MAKE, SYSTEMD, UNITS, Way, way_here


@pytest.mark.parametrize(
    ("environ", "units", "way"),
    [
        ({}, False, MAKE),
        ({}, True, SYSTEMD),
        ({"TOCSIN_WAY": "compose"}, False, COMPOSE),
        ({"TOCSIN_WAY": "kubernetes"}, True, KUBERNETES),
        ({"TOCSIN_WAY": "make"}, True, MAKE),
        ({"TOCSIN_WAY": "by hand"}, False, MAKE),
    ],
)
def test_each_way_is_known(environ: dict[str, str], units: bool, way: Way) -> None:
    assert way_here(environ, lambda path: units and path == UNITS) is way


def test_each_way_names_the_service_as_it_is_called_there() -> None:
    assert MAKE.log_of("email_sender") == "logs/email_sender.log"
    assert COMPOSE.starts("email_sender").endswith("--detach email_sender`")
    assert KUBERNETES.log_of("email_sender").startswith("`kubectl logs deployment/email-sender`")
    assert SYSTEMD.starts_again("email_sender") == "`systemctl restart tocsin@email_sender`"
