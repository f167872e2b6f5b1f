"""Cancel a message batch by hand."""

from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock
from core.errors import BadInput, NotReady
from core.settings import Settings
from core.states import BatchState, Lane
from models.message_batch import QUERIES
from tasks.claude import CallFailed
from tasks.collecting import BatchRow, cancel
from tasks.run import Run, open_run

BY_HAND = "by_hand"


async def cancel_by_hand(batch_id: str, *, settings: Settings, clock: Clock) -> None:
    """Ask the API to end a batch. Raises BadInput for one that is not open, NotReady when the API refuses."""
    async with open_run(
        run_id="cancel", settings=settings, model=settings.model, clock=clock, lane=Lane.OVERNIGHT
    ) as run:
        batch = await _open_batch(run, batch_id)
        try:
            await cancel(run, batch, BY_HAND)
        except CallFailed as failed:
            raise NotReady(
                f"The API did not cancel batch {batch_id} ({failed}); perhaps it has just ended. "
                "See with: touchline batches collect"
            ) from None


async def _open_batch(run: Run, batch_id: str) -> BatchRow:
    async def read(connection: AsyncConnection) -> BatchRow | None:
        return (await connection.execute(QUERIES["whole"], {"batch_id": batch_id})).first()

    batch = await run.commit(read)
    if batch is None:
        raise BadInput(f"There is no batch {batch_id!r}; list them with: touchline batches list")
    if batch.account != run.settings.account:
        raise BadInput(
            f"Batch {batch_id} was sent with another key or to another address; set ANTHROPIC_API_KEY and "
            "ANTHROPIC_BASE_URL to those."
        )
    if batch.state == BatchState.SENT:
        raise BadInput(
            f"Whether the API has batch {batch_id} is not known yet; "
            "run `touchline batches collect` until it is."
        )
    if batch.state != BatchState.OPEN:
        raise BadInput(
            f"Batch {batch_id} is {batch.state}: there is nothing left to cancel. What became of it: "
            f"touchline batches show {batch_id}"
        )
    return batch
