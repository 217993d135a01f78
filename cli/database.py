"""`tocsin migrate`: the database brought up to date, by its owner."""

from __future__ import annotations

import asyncio
import os

import asyncpg

from cli.output import Json, emit
from cli.place import root
from deploy.local.trouble import Trouble
from kit.postgres import all_schemas
from kit.postgres import migrate as bring_up_to_date
from kit.settings import load
from kit.settings.masking import without_password


def migrate(json: Json = False) -> None:
    """Bring the database up to date: every schema and role, each numbered SQL file once. Twice is once."""
    url = load(root(), os.environ).database_url
    shown = without_password(url)
    try:
        applied = asyncio.run(bring_up_to_date(url, all_schemas()))
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
    words = "\n".join(f"applied  {name}" for name in applied) or "the database is up to date"
    emit({"applied": applied}, as_json=json, people=lambda: print(words))
