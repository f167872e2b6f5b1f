-- name: runs
-- Runs since a time, newest first, as their rows have them; of one that has not ended, what the ledger has so far.
SELECT run.run_id, run.lane, run.started_at, run.ended_at, run.insights, run.stopped,
    coalesce(run.billed_usd, ledger.cost_usd, 0) AS cost_usd,
    ledger.read_tokens / nullif(ledger.input_tokens, 0) AS cache_hit_rate,
    run.ended_at IS NULL AND greatest(run.started_at, ledger.heard_at) <= :killed_before AND NOT EXISTS (
        SELECT FROM message_batch WHERE message_batch.run_id = run.run_id AND state IN ('sent', 'open')
    ) AS never_ended
FROM summary_run AS run
CROSS JOIN LATERAL (
    SELECT sum(coalesce(cost_usd, estimated_cost_usd)) AS cost_usd, sum(cache_read_tokens) AS read_tokens,
        sum(CAST(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS numeric))
            AS input_tokens,
        max(recorded_at) AS heard_at
    FROM ai_usage_log WHERE flow_run_id = run.run_id
) AS ledger
WHERE run.started_at > :since AND run.started_at <= :now AND (coalesce(run.insights, 1) > 0 OR run.stopped IS NOT NULL)
ORDER BY run.started_at DESC, run.run_id

-- name: idle_runs
-- How many runs since a time found nothing due.
SELECT count(*) FROM summary_run
WHERE started_at > :since AND started_at <= :now AND insights = 0 AND stopped IS NULL

-- name: rollups
-- Tries of rollups since a time, newest first, with how many of their checks failed.
SELECT run.run_id, run.flow_run_id, run.started_at, run.ended_at, cardinality(run.days) AS days, run.published,
    run.ended_at IS NULL AND run.started_at <= :killed_before AS never_ended,
    (SELECT count(*) FROM quality_check WHERE quality_check.run_id = run.run_id AND result = 'failed') AS failed
FROM rollup_run AS run
WHERE run.started_at > :since AND run.started_at <= :now
ORDER BY run.started_at DESC, run.run_id

-- name: parked
-- How many insights are parked, by reason.
SELECT state_reason AS reason, count(*) AS insights FROM insight WHERE state = 'parked'
GROUP BY state_reason ORDER BY 2 DESC, 1

-- name: to_review
-- How many summaries wait for their coaches, and since when.
SELECT count(*) AS summaries, count(DISTINCT coach_id) AS coaches, min(created_at) AS since FROM summary
WHERE state = 'pending_review'

-- name: overdue
-- How many open batches are past the time at which they should have been cancelled, and since when.
SELECT count(*) AS batches, min(due_at) AS since FROM message_batch
WHERE state IN ('sent', 'open') AND due_at <= :now

-- name: marked
-- How many days that ended more than a day ago are marked, the first of them, and when a rollup was last published.
SELECT count(DISTINCT utc_day) AS days, min(utc_day) AS first_day,
    (SELECT max(ended_at) FROM rollup_run WHERE published) AS published_at,
    (SELECT min(started_at) FROM summary_run) AS first_run_at
FROM rollup_dirty_day WHERE utc_day < :marked_before

-- name: refused
-- The latest rollup that was refused, unless its days were all published since; with the checks that failed.
SELECT run.flow_run_id, run.ended_at, cardinality(run.days) AS days,
    (SELECT array_agg(DISTINCT name ORDER BY name) FROM quality_check
        WHERE quality_check.run_id = run.run_id AND result = 'failed') AS checks
FROM rollup_run AS run
WHERE run.ended_at IS NOT NULL AND NOT run.published
  AND EXISTS (SELECT FROM quality_check WHERE quality_check.run_id = run.run_id AND result = 'failed')
  AND EXISTS (SELECT FROM unnest(run.days) AS day (utc_day) LEFT JOIN rollup_day USING (utc_day)
      WHERE rollup_day.published_at IS NULL OR rollup_day.published_at <= run.started_at)
ORDER BY run.started_at DESC LIMIT 1
