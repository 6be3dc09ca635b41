"""A transactional trigger: the order and the run that works on it are stored together, or neither is.

Run it:  tawny serve --app examples.trigger_with_order:app
Try it:  RUN=$(python -m examples.trigger_with_order $TEAM $PROJECT); watch

Needs `TAWNY_DATABASE_URL` for both, since your program connects to Tawny's database: that is where the table `orders`
is. Look at the two inserts in one transaction. If the process dies between them there is no order without its
confirmation, and no run for an order that was rolled back.
"""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import UUID

import asyncpg

from tawny import JobFailed, Run, Tawny

app = Tawny()
TABLE = "create table if not exists orders (id bigint generated always as identity primary key, customer text, confirmed_by uuid)"


async def place_order(conn: asyncpg.Connection, team_id: str, project_id: str, customer: str) -> UUID:
    """Called by your web application, with a connection of its own. Returns the id of the run."""
    async with conn.transaction():
        order_id = await conn.fetchval("insert into orders (customer) values ($1) returning id", customer)
        return await app.trigger(conn, "confirm_order", team_id=team_id, project_id=project_id, params={"order_id": order_id})


@app.job("confirm_order", retries=5, unique_by=("order_id",))
async def confirm_order(run: Run, order_id: int) -> dict[str, object]:
    """Confirm an order. One run for each order may be active."""
    async with run.transaction() as tx:
        update = "update orders set confirmed_by = $2 where id = $1 returning customer"
        customer = await tx.fetchval(update, order_id, run.id)
    if customer is None:
        raise JobFailed(f"There is no order {order_id}.")
    return {"order_id": order_id, "customer": customer}


async def main(team_id: str, project_id: str) -> None:
    conn = await asyncpg.connect(os.environ["TAWNY_DATABASE_URL"])
    await conn.execute(TABLE)
    print(await place_order(conn, team_id, project_id, customer="Ada"))
    await conn.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
