"""The overnight lane on the example season: primed, sent, collected, and at half the price."""

from decimal import Decimal

from tests.acceptance.conftest import World
from tests.acceptance.night import assert_books_equal, choose, overnight


def test_a_season_is_summarized_overnight_near_the_floor_and_the_ledger_equals_the_meter(
    world: World,
) -> None:
    loaded = world.load()
    choose(world)
    report = overnight(world)
    assert set(world.states()) <= {"summarized", "skipped", "parked"}
    assert sum(world.states().values()) == len(loaded) == sum(report.insights.values())
    assert Decimal("0.92") <= report.billed.efficiency <= 1  # so few insights that an hour's writes weigh
    assert report.billed.cost_usd == report.predicted_given_answers.cost_usd
    assert report.billed.cost_usd < report.waterfall.uncached_usd / 10
    assert_books_equal(world)
    assert world.meter()["cost_usd"] == report.to_json()["billed"]["cost_usd"]
