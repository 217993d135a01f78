"""The routes of the two systems that came before, letter for letter: their words, the same handlers."""

from fastapi import APIRouter
from starlette.routing import WebSocketRoute

from services.gateway.http.compat import admin, notifications
from services.gateway.http.compat.socket import PATH, CompatSocket
from services.gateway.http.compat.words import CompatRequest
from services.gateway.http.desk import Desk

__all__ = ["CompatRequest", "router", "sockets"]


def router(desk: Desk) -> APIRouter:
    """All of them."""
    routes = APIRouter()
    for room in (notifications, admin):
        routes.include_router(room.router(desk))
    return routes


def sockets(desk: Desk) -> list[WebSocketRoute]:
    """What OpenAPI has no word for."""
    return [WebSocketRoute(PATH, CompatSocket(desk))]
