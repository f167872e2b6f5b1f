-- name: begin
-- A run has begun; one that is started again keeps its first start.
INSERT INTO summary_run (run_id, lane, model, organization_id, started_at)
VALUES (:run_id, :lane, :model, :organization_id, :started_at)
ON CONFLICT (run_id) DO NOTHING

-- name: end
-- A run has ended, with its figures.
UPDATE summary_run SET ended_at = :ended_at, insights = :insights, calls = :calls, predicted_usd = :predicted_usd,
    billed_usd = :billed_usd, uncached_usd = :uncached_usd, floor_usd = :floor_usd, efficiency = :efficiency,
    alone_uncached_usd = :alone_uncached_usd, alone_cached_usd = :alone_cached_usd, packed_usd = :packed_usd,
    stopped = :stopped
WHERE run_id = :run_id

-- name: starts
-- When the latest runs began, newest first.
SELECT started_at FROM summary_run
WHERE lane = :lane AND started_at > :since AND started_at <= :now
  AND organization_id IS NOT DISTINCT FROM CAST(:organization_id AS text)
ORDER BY started_at DESC LIMIT :row_limit

-- name: clubs_of
-- Which clubs runs have made calls for, up to a number.
SELECT DISTINCT organization_id FROM ai_usage_log
WHERE flow_run_id = ANY(CAST(:run_ids AS text[])) ORDER BY organization_id LIMIT :row_limit

-- name: run_before
-- The run of a lane before one, of those that had something to do or have never ended.
SELECT run_id, started_at FROM summary_run
WHERE lane = :lane AND started_at < :started_at AND run_id <> :run_id AND coalesce(insights, 1) > 0
ORDER BY started_at DESC LIMIT 1

-- name: rollup_of
-- The latest rollup that has published one of these days.
SELECT flow_run_id, ended_at FROM rollup_run
WHERE published AND days && CAST(:days AS date[]) ORDER BY started_at DESC LIMIT 1

-- name: runs_of_days
-- The runs that have calls on these UTC days, newest first, and how many there are. Only runs that began on them, or
-- not long before, are looked up in the ledger.
SELECT run_id, lane, started_at, count(*) OVER () AS runs FROM summary_run
WHERE started_at >= (SELECT min(day) - 3 FROM unnest(CAST(:days AS date[])) AS day) AT TIME ZONE 'UTC'
  AND started_at < (SELECT max(day) + 1 FROM unnest(CAST(:days AS date[])) AS day) AT TIME ZONE 'UTC'
  AND coalesce(calls, 1) > 0
  AND EXISTS (SELECT FROM ai_usage_log AS log WHERE log.flow_run_id = summary_run.run_id
      AND CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) = ANY(CAST(:days AS date[])))
ORDER BY started_at DESC LIMIT :row_limit
