"""Weekly learning: from what each coach has decided in the last 30 days to the threshold that counts."""

from prefect import flow

from core.clock import Clock
from core.settings import Settings
from tasks.clock import SystemClock
from tasks.learning import learn_thresholds, publish_taught
from tasks.run_page import flow_page


@flow(name="learn-thresholds", flow_run_name="learn thresholds")
async def learn_weekly(clock: Clock | None = None) -> int:
    """Learn for every coach who has not learned this week; gives for how many.

    Raises NotReady without a database.
    """
    async with flow_page() as page:
        taught = learn_thresholds(Settings(), (clock or SystemClock()).now())
        await publish_taught(page, taught)
    return len(taught)
