import time
from tests.acceptance.conftest import World
from tests.acceptance.night import *

def test_look(world: World):
    t=time.time()
    world.load(insights=40)
    print("load", time.time()-t)
    print(world.rows("SELECT id, timezone FROM organization"))
    print(world.rows("SELECT coach.tone, coalesce(insight.sport, player.sport) sport, insight.organization_id o, count(*), count(distinct player.id) p from insight join coach on coach.id=coach_id join player on player.id=insight.player_id group by 1,2,3 order by 1,2,3"))
    print(world.rows("SELECT min(created_at), max(created_at), count(*) filter (where urgent) u from insight"))
    choose(world)
    t=time.time()
    clock=NightClock(world)
    report = overnight(world, clock)
    print("run", time.time()-t, clock.slept)
    print(report.to_json())
    for row in world.rows("select kind, stage, state, requests, created_at, opened_at, ended_at, due_at, collected_at from message_batch order by created_at"): print(row)
    for r in world.ledger(): print({k: str(r[k]) for k in ("organization_id","player_id","outcome","input_tokens","cache_read_tokens","cache_write_1h_tokens","cost_usd","service_tier","lane","latency_ms")})
    t=time.time(); overnight(world); print("second", time.time()-t)
    assert 0
