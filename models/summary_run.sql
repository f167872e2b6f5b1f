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
