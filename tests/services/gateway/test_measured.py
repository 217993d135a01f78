"""Requests as figures: by route and status, and never by what stands in a path."""

from __future__ import annotations

import pytest

from tests.services.gateway.conftest import ADMIN, ALICE, EMAIL, House

ID = "0190f3b2-7c55-7d4e-8a6b-1f2e3d4c5b6a"


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("POST", "/v1/notifications", "/v1/notifications", 202),
        ("GET", f"/v1/notifications/{ID}", "/v1/notifications/{id}", 404),
        ("GET", "/v1/stats", "/v1/stats", 200),
        ("GET", "/health/live", "/health/live", 200),
        ("GET", f"/nowhere/{ID}", "other", 404),
        ("BREW", "/v1/stats", "/v1/stats", 405),
    ],
)
async def test_a_request_is_counted_by_its_route(house: House, method: str, path: str, route: str, status: int) -> None:
    answer = await house.http.request(method, path, headers=ALICE, json=EMAIL if method == "POST" else None)
    assert answer.status_code == status
    shown = (await house.http.get("/metrics", headers=ADMIN)).text
    name = method if method != "BREW" else "OTHER"
    assert f'tocsin_http_requests_total{{method="{name}",route="{route}",status="{status}"}} 1.0' in shown
    assert f'tocsin_http_request_seconds_count{{method="{name}",route="{route}"}} 1.0' in shown
