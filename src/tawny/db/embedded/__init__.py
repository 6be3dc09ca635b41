"""The embedded database: a real PostgreSQL that lives in the state folder and dies with the process that owns it.

What the state folder holds:

    lock             held as long as any process of the database lives; says who started it
    database.json    where the running database listens
    postgres.log     what PostgreSQL says, at most about 20 MiB together with postgres.log.1
    postgres/        open to nobody but the owner
        data/        PostgreSQL's own folder
        socket/      its socket, unless the path is too long for one (see place.py)

`own` starts it, `join` finds one that another process has started, `own_or_join` does whichever is possible.
"""

from tawny.db.embedded.join import join, own_or_join
from tawny.db.embedded.lock import FolderInUse
from tawny.db.embedded.own import Owned, own

__all__ = ["FolderInUse", "Owned", "join", "own", "own_or_join"]
