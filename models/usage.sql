-- name: read_by_index
-- For a reading transaction: walk an index although sorting the whole ledger may look cheaper for a rare
-- outcome or a large club, and plan each query for its own values, not for any that may come.
SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)

-- name: organization
-- An organisation, with the time zone in which its people read days.
SELECT id, name, timezone FROM organization WHERE id = :organization_id

-- name: coach_names
-- The names of coaches; the ledger may know some who are gone.
SELECT id, name FROM coach WHERE id = ANY(CAST(:coach_ids AS text[]))

-- name: sums
-- An organisation's ledger, added up in one pass: in all, by operation, model, coach, player and day.
-- `day_starts` are the instants at which its days begin, ending with the end of the range. A call counts
-- where its first attempt is, so that calls add up over days and over any other parts. An adjustment is
-- money and tokens, but no attempt.
WITH booked AS (
    SELECT operation, model, coach_id, player_id,
        width_bucket(occurred_at, CAST(:day_starts AS timestamptz[])) AS day_number,
        outcome <> 'adjustment' AS is_attempt,
        outcome <> 'adjustment' AND NOT EXISTS (
            SELECT FROM ai_usage_log AS earlier
            WHERE earlier.call_id = log.call_id AND earlier.outcome <> 'adjustment'
              AND (earlier.occurred_at, earlier.attempt_id) < (log.occurred_at, log.attempt_id)
        ) AS opens_call,
        input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
        cache_hit_rate, coalesce(cost_usd, estimated_cost_usd) AS cost_usd
    FROM ai_usage_log AS log
    WHERE organization_id = :organization_id AND occurred_at >= :begins_at AND occurred_at < :ends_at
)
SELECT CASE
        WHEN GROUPING(operation) = 0 THEN 'operation'
        WHEN GROUPING(model) = 0 THEN 'model'
        WHEN GROUPING(coach_id) = 0 THEN 'coach_id'
        WHEN GROUPING(player_id) = 0 THEN 'player_id'
        WHEN GROUPING(day_number) = 0 THEN 'day_number'
        ELSE 'all'
    END AS part,
    coalesce(operation, model, coach_id, player_id, CAST(day_number AS text), '') AS key,
    count(*) FILTER (WHERE opens_call) AS calls,
    count(*) FILTER (WHERE is_attempt) AS attempts,
    coalesce(sum(input_tokens), 0) AS input_tokens,
    coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,
    coalesce(sum(cache_write_5m_tokens), 0) AS cache_write_5m_tokens,
    coalesce(sum(cache_write_1h_tokens), 0) AS cache_write_1h_tokens,
    coalesce(sum(output_tokens), 0) AS output_tokens,
    coalesce(sum(cache_hit_rate), 0) AS hit_rates_sum,
    count(cache_hit_rate) AS hit_rates,
    coalesce(sum(cost_usd), 0) AS cost_usd
FROM booked
GROUP BY GROUPING SETS ((), (operation), (model), (coach_id), (player_id), (day_number))

-- name: priced_alike
-- What was answered and paid, in groups that share one price list: model, geography, UTC day and size of
-- prompt. `size_starts` are the prompt sizes at which a price may change. What is still an estimate is left
-- out: nobody knows its tokens.
SELECT model, inference_geo, CAST(occurred_at AT TIME ZONE 'UTC' AS date) AS utc_day,
    min(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS prompt_tokens,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)
        AS total_input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cost_usd) AS cost_usd
FROM ai_usage_log
WHERE organization_id = :organization_id AND occurred_at >= :begins_at AND occurred_at < :ends_at
  AND outcome IN ('succeeded', 'unusable', 'refused') AND cost_usd > 0
GROUP BY model, inference_geo, utc_day,
    width_bucket(
        input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens,
        CAST(:size_starts AS integer[])
    )
ORDER BY model, inference_geo, utc_day, prompt_tokens
