"""What message batches came to, read from the ledger: the same whoever has collected them, and when."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.batches import prefix_path
from core.bill import Bill
from core.pricing import price_of, prices_at
from core.report import Collected, RunReport
from core.states import InsightState, Outcome, ServiceTier
from core.tally import Entry, RunTally
from core.usage import Usage
from core.waterfall import Packing, Waterfall
from models.message_batch import QUERIES
from tasks.collecting import BatchRow, unfinished_batches
from tasks.run import Run
from tasks.runs import keep_figures

CALLS_AT_ONCE = 1_000


class _Books:
    """Adds up the calls of batches, one by one."""

    def __init__(self) -> None:
        self.billed, self.predicted, self.given_answers = RunTally(), RunTally(), RunTally()
        self.packing = Packing()
        self.live_usd = Decimal(0)  # what the same tokens would have cost, had they not been in batches

    def add(self, call: Row[Any], prefixes: dict[str, Any]) -> None:
        usage = Usage(
            call.input_tokens,
            call.cache_read_tokens,
            call.cache_write_5m_tokens,
            call.cache_write_1h_tokens,
            call.output_tokens,
            call.thinking_tokens,
        )
        priced = call.cost_usd is not None  # else perhaps of a model that nobody has asked for
        billed = Entry(
            at=call.occurred_at,
            path=prefix_path(prefixes, call.prefix_key),
            marked=call.marked,
            usage=usage,
            model=call.model if priced else call.asked_model,
            service_tier=call.service_tier if priced else ServiceTier.BATCH,
            inference_geo=call.inference_geo if priced else None,
            cost_usd=call.estimated_cost_usd if call.cost_usd is None else call.cost_usd,
        )
        self.billed.add(billed)
        self._add_predicted(call, billed, self.predicted, call.predicted_output_tokens)
        if call.cost_usd:
            self._add_live(billed)
        if call.outcome == Outcome.SUCCEEDED:
            self._add_predicted(call, billed, self.given_answers, usage.output_tokens)
            spared, read = len(call.insight_ids) - 1, call.predicted_read_tokens + call.predicted_write_tokens
            self.packing.add_spared(spared, call.front_tokens, read, call.asked_model, call.occurred_at)

    def _add_predicted(self, call: Row[Any], billed: Entry, tally: RunTally, output_tokens: int) -> None:
        usage = Usage(
            input_tokens=call.predicted_input_tokens,
            cache_read_tokens=call.predicted_read_tokens,
            cache_write_1h_tokens=call.predicted_write_tokens,
            output_tokens=output_tokens,
        )
        tier, model = ServiceTier.BATCH, call.asked_model
        cost = price_of(usage, model=model, at=billed.at, service_tier=tier).cost_usd
        predicted = replace(billed, usage=usage, cost_usd=cost, model=model)
        tally.add(replace(predicted, service_tier=tier, inference_geo=None))

    def _add_live(self, billed: Entry) -> None:
        usage = billed.usage
        live = replace(
            usage,
            cache_write_5m_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            cache_write_1h_tokens=0,
        )
        prices = prices_at(
            billed.model, billed.at, live.total_input_tokens, inference_geo=billed.inference_geo
        )
        self.live_usd += prices.cost_of(live)

    def waterfall(self, run: Run, billed: Bill) -> Waterfall:
        return self.packing.waterfall(billed, run.model, run.clock.now(), live_usd=self.live_usd)


async def report_of_runs(run: Run, run_ids: Collection[str]) -> RunReport:
    """Report on all batches of these runs as they stand now, under this run's own id."""
    if run.failure:
        return run.report()  # the database is away: what is known is what this process has seen
    asked = {"run_ids": list(run_ids)}

    async def read(connection: AsyncConnection) -> Sequence[Row[Any]]:
        return (await connection.execute(QUERIES["of_runs"], asked)).all()

    batches = {row.batch_id: row.prefixes for row in await run.commit(read)}
    books = await run.commit(lambda connection: _books(connection, batches))
    insights = await run.commit(lambda connection: _insights(connection, batches))
    return _report(run, books, insights)


async def report_collected(run: Run, before: Sequence[BatchRow]) -> Collected:
    """Report on the runs that had these batches open, before they were looked at.

    What each run came to is written into its row once none of its batches is open.
    """
    after, run_ids = await unfinished_batches(run, None), sorted({batch.run_id for batch in before})
    still_open, finished = {batch.run_id for batch in after}, dict[str, RunReport]()
    for run_id in run_ids:
        if run_id not in still_open and not run.failure:
            report = replace(await report_of_runs(run, [run_id]), run_id=run_id)
            await keep_figures(run, run_id, report, sum(report.insights.values()))
            finished[run_id] = report
    await run.lessons.keep(run.transactions, run.model)
    return Collected(
        run_ids=run_ids,
        finished=finished,
        insights=run.states.total(),
        batches_closed=len({batch.batch_id for batch in before} - {batch.batch_id for batch in after}),
        batches_open=len(after),
        report=await report_of_runs(run, run_ids),
    )


async def _books(connection: AsyncConnection, batches: dict[str, Any]) -> _Books:
    books = _Books()
    found = await connection.stream(QUERIES["calls_of"], {"batch_ids": list(batches)})
    async for calls in found.partitions(CALLS_AT_ONCE):
        for call in calls:
            books.add(call, batches[call.batch_id])
    return books


async def _insights(connection: AsyncConnection, batches: Collection[str]) -> Sequence[Row[Any]]:
    return (await connection.execute(QUERIES["insights_of"], {"batch_ids": list(batches)})).all()


def _report(run: Run, books: _Books, insights: Sequence[Row[Any]]) -> RunReport:
    counts = Counter(run.unasked)
    for row in insights:
        counts[row.state, str(row.state_reason)] += row.insights
    states, reasons = Counter[str](), {state.value: Counter[str]() for state in InsightState}
    for (state, reason), number in counts.items():
        states[state] += number
        reasons[state][reason] += number
    billed = books.billed.bill()
    return RunReport(
        run_id=run.run_id,
        insights=dict(sorted((+states).items())),
        predicted=books.predicted.bill(),
        predicted_given_answers=books.given_answers.bill(),
        billed=billed,
        waterfall=books.waterfall(run, billed),
        wall_seconds=(run.clock.now() - run.began_at).total_seconds(),
        deferred=dict(sorted(reasons[InsightState.DEFERRED].items())),
        parked=dict(sorted(reasons[InsightState.PARKED].items())),
        stopped=run.stopped,
    )
