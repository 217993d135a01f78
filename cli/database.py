"""`tocsin migrate`: the database brought up to date, by its owner."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import asyncpg

from cli.output import PATIENCE, Json, Progress, emit
from cli.place import root
from deploy.local.trouble import Trouble
from kit.postgres import all_schemas
from kit.postgres import migrate as bring_up_to_date
from kit.settings import load
from kit.settings.masking import without_password


def migrate(json: Json = False) -> None:
    """Bring the database up to date: every schema and role, each numbered SQL file once. Twice is once."""
    url = load(root(), os.environ).database_url
    with reached(url), Progress(PATIENCE) as progress:
        told = partial(_told, progress)
        applied = asyncio.run(bring_up_to_date(url, all_schemas(), told))
    words = "\n".join(f"applied  {name}" for name in applied) or "the database is up to date"
    emit({"applied": applied}, as_json=json, people=lambda: print(words))


def _told(progress: Progress, what: str, done: int, total: int) -> None:
    progress.progress("migrations", done, total, what)


@contextmanager
def reached(url: str) -> Iterator[None]:
    """What keeps the owner from working in the database of `url` is said in a sentence. Raises Trouble."""
    shown = without_password(url)
    try:
        yield
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        raise Trouble(
            f"no database answers at {shown} ({type(error).__name__})",
            "`tocsin up` starts the embedded one, or set DATABASE_URL to where yours is",
        ) from None
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise Trouble(f"the database {shown} does not let us in ({error})", "look at DATABASE_URL") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise Trouble(
            f"the user of {shown} may not do that ({error})",
            "DATABASE_URL is the owner's, who may create schemas and roles (alter role ... createrole)",
        ) from None
    except asyncpg.LockNotAvailableError as error:
        raise Trouble(
            f"others have held what is needed in {shown} for too long ({error})",
            "look in pg_stat_activity who does, end that, and say it again: what was done stays",
        ) from None
