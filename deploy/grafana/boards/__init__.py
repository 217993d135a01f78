"""All dashboards, the first one first."""

from typing import Final

from deploy.grafana.boards import channels, life, overview, servers, streams, time
from deploy.grafana.panels import Board

BOARDS: Final[tuple[Board, ...]] = (
    overview.BOARD,
    channels.BOARD,
    time.BOARD,
    streams.BOARD,
    life.BOARD,
    servers.BOARD,
)
