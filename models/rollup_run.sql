-- fragment: touched
-- The ledger rows of the touched days, day by day through the index on time.
unnest(CAST(:days AS date[])) AS day (utc_day)
JOIN ai_usage_log AS log ON log.occurred_at >= CAST(day.utc_day AS timestamp) AT TIME ZONE 'UTC'
    AND log.occurred_at < CAST(day.utc_day + 1 AS timestamp) AT TIME ZONE 'UTC'

-- fragment: opens_call
-- A call counts where its first attempt is, so that calls add up over days and over any other parts.
log.outcome <> 'adjustment' AND (log.call_id NOT IN (SELECT call_id FROM repeated) OR NOT EXISTS (
    SELECT FROM ai_usage_log AS earlier
    WHERE earlier.call_id = log.call_id AND earlier.organization_id = log.organization_id
      AND earlier.outcome <> 'adjustment' AND (earlier.occurred_at, earlier.attempt_id) < (log.occurred_at, log.attempt_id)
))

-- fragment: stretches
-- Where the local days of each time zone cut the touched UTC days.
jsonb_to_recordset(CAST(:stretches AS jsonb)) AS stretch (time_zone text, utc_day date, local_day date,
    begins_at timestamptz, ends_at timestamptz)

-- fragment: sums
sum(opens_call), sum(is_attempt), sum(1 - is_attempt), sum(input_tokens), sum(cache_read_tokens),
    sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(output_tokens), count(cache_hit_rate),
    coalesce(sum(cache_hit_rate), 0), sum(cost_usd), sum(saved_usd)

-- fragment: sum_names
calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    output_tokens, hit_rates, hit_rates_sum, cost_usd, saved_usd

-- name: prefer_indexes
-- For the transaction that stages: the ledger is read by day, through its index. Nothing is compiled: the cost of
-- scans that are switched off, but cannot be avoided, would have every short query compiled for seconds.
SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('jit', 'off', true)

-- name: marks
-- What is marked, of certain days or of all.
SELECT subject, utc_day, writer, marks FROM rollup_dirty_day
WHERE CAST(:days AS date[]) IS NULL OR utc_day = ANY(CAST(:days AS date[]))
ORDER BY utc_day, subject, writer

-- name: known_days
-- Every day that has ledger rows, insights or summaries, or was published: each day from the first to the last is looked
-- up in the indexes on time, whatever the marks say.
WITH span (begins_at, ends_at) AS (
    SELECT least((SELECT min(occurred_at) FROM ai_usage_log), (SELECT min(created_at) FROM insight),
            (SELECT min(created_at) FROM summary)),
        greatest((SELECT max(occurred_at) FROM ai_usage_log), (SELECT max(created_at) FROM insight),
            (SELECT max(created_at) FROM summary))
), day (utc_day, begins_at, ends_at) AS (
    SELECT CAST(midnight AS date), midnight AT TIME ZONE 'UTC', (midnight + interval '1 day') AT TIME ZONE 'UTC'
    FROM span, generate_series(date_trunc('day', span.begins_at AT TIME ZONE 'UTC'),
        span.ends_at AT TIME ZONE 'UTC', interval '1 day') AS midnight
)
SELECT utc_day FROM day
WHERE EXISTS (SELECT FROM ai_usage_log AS log
        WHERE log.occurred_at >= day.begins_at AND log.occurred_at < day.ends_at)
    OR EXISTS (SELECT FROM insight WHERE created_at >= day.begins_at AND created_at < day.ends_at)
    OR EXISTS (SELECT FROM summary WHERE created_at >= day.begins_at AND created_at < day.ends_at)
UNION SELECT utc_day FROM rollup_day
ORDER BY utc_day

-- name: priced_otherwise
-- Published days whose savings are by another price list.
SELECT utc_day FROM rollup_day WHERE price_version <> :price_version ORDER BY utc_day

-- name: published
-- Which run has published each of these days last.
SELECT utc_day, run_id FROM rollup_day WHERE utc_day = ANY(CAST(:days AS date[])) ORDER BY utc_day

-- name: time_zones
-- The time zones of all clubs, each with one of them.
SELECT timezone, min(id) AS organization_id FROM organization GROUP BY timezone ORDER BY timezone

-- name: priced_alike
-- What the touched days were priced by: the model as answered, tier, geography and UTC day.
SELECT DISTINCT day.utc_day, log.model, log.service_tier, coalesce(log.inference_geo, 'global') AS inference_geo
FROM {touched}

-- name: find_repeated
-- The few calls of the touched days that have more than one attempt, whenever: only theirs are looked at one by one, to
-- see which of them came first.
CREATE TEMPORARY TABLE repeated ON COMMIT DROP AS
SELECT call_id FROM ai_usage_log WHERE call_id = ANY(ARRAY(SELECT log.call_id FROM {touched}))
GROUP BY call_id HAVING count(*) > 1

-- name: book
-- The ledger rows of the touched days with all that the rollups need: the club's own day (in UTC for a club that
-- nobody knows; the checks find it), the price of the list, and what caching saved. Prices are whole picodollars
-- (1e-12 USD) a token: `own` is the row's own price list, `live` the full price of input and output.
CREATE TEMPORARY TABLE booked ON COMMIT DROP AS
SELECT day.utc_day, stretch.local_day, log.attempt_id, log.organization_id, log.coach_id, log.player_id,
    log.operation, log.model, log.lane, log.service_tier, log.outcome, log.price_version,
    CAST(({opens_call}) AS integer) AS opens_call,
    CAST(log.outcome <> 'adjustment' AS integer) AS is_attempt,
    log.input_tokens, log.cache_read_tokens, log.cache_write_5m_tokens, log.cache_write_1h_tokens,
    log.output_tokens, log.cache_hit_rate, log.cost_usd AS settled_usd,
    coalesce(log.cost_usd, log.estimated_cost_usd) AS cost_usd,
    CAST(log.input_tokens * price.input + log.cache_read_tokens * price.cache_read
        + log.cache_write_5m_tokens * price.cache_write_5m + log.cache_write_1h_tokens * price.cache_write_1h
        + log.output_tokens * price.output AS numeric) * 0.000000000001 AS listed_usd,
    CASE WHEN log.outcome IN ('succeeded', 'unusable', 'refused') AND log.cost_usd > 0
        THEN CAST((log.input_tokens + log.cache_read_tokens + log.cache_write_5m_tokens
            + log.cache_write_1h_tokens) * price.live_input + log.output_tokens * price.live_output AS numeric)
            * 0.000000000001 - log.cost_usd
        ELSE 0
    END AS saved_usd
FROM {touched}
LEFT JOIN organization ON organization.id = log.organization_id
LEFT JOIN {stretches} ON stretch.time_zone = coalesce(organization.timezone, 'UTC')
    AND stretch.utc_day = day.utc_day
    AND log.occurred_at >= stretch.begins_at AND log.occurred_at < stretch.ends_at
LEFT JOIN jsonb_to_recordset(CAST(:prices AS jsonb)) AS price (utc_day date, model text, service_tier text,
        inference_geo text, tokens_over integer, tokens_to integer, input bigint, cache_read bigint,
        cache_write_5m bigint, cache_write_1h bigint, output bigint, live_input bigint, live_output bigint)
    ON price.utc_day = day.utc_day AND price.model = log.model AND price.service_tier = log.service_tier
    AND price.inference_geo = coalesce(log.inference_geo, 'global')
    AND log.input_tokens + log.cache_read_tokens + log.cache_write_5m_tokens + log.cache_write_1h_tokens
        > price.tokens_over
    AND log.input_tokens + log.cache_read_tokens + log.cache_write_5m_tokens + log.cache_write_1h_tokens
        <= price.tokens_to

-- name: forget_booked
-- What was booked of one group of days is staged: the next one may be booked.
DROP TABLE booked, repeated

-- name: stage_organization_day
-- By club, and by how it was called.
INSERT INTO staged_organization_day (run_id, utc_day, organization_id, local_day, operation, model, lane,
    service_tier, {sum_names})
SELECT :run_id, utc_day, organization_id, local_day, operation, model, lane, service_tier, {sums}
FROM booked GROUP BY utc_day, organization_id, local_day, operation, model, lane, service_tier

-- name: stage_coach_day
-- By coach.
INSERT INTO staged_coach_day (run_id, utc_day, organization_id, coach_id, local_day, {sum_names})
SELECT :run_id, utc_day, organization_id, coach_id, local_day, {sums}
FROM booked GROUP BY utc_day, organization_id, coach_id, local_day

-- name: stage_player_day
-- By player.
INSERT INTO staged_player_day (run_id, utc_day, organization_id, player_id, local_day, {sum_names})
SELECT :run_id, utc_day, organization_id, player_id, local_day, {sums}
FROM booked GROUP BY utc_day, organization_id, player_id, local_day

-- name: stage_platform_day
-- All clubs together, from what is staged of each.
INSERT INTO staged_platform_day (run_id, utc_day, operation, model, lane, service_tier, {sum_names})
SELECT CAST(:run_id AS text), utc_day, operation, model, lane, service_tier, sum(calls), sum(attempts), sum(adjustments),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(output_tokens), sum(hit_rates), sum(hit_rates_sum), sum(cost_usd), sum(saved_usd)
FROM staged_organization_day WHERE run_id = :run_id AND utc_day = ANY(CAST(:days AS date[]))
GROUP BY utc_day, operation, model, lane, service_tier

-- name: stage_outcome_day
-- What has become of the insights and summaries that were created on the touched days.
INSERT INTO staged_outcome_day (run_id, utc_day, organization_id, local_day, subject, state, decision, number)
SELECT :run_id, day.utc_day, made.organization_id, stretch.local_day, made.subject, made.state, made.decision,
    count(*)
FROM unnest(CAST(:days AS date[])) AS day (utc_day)
CROSS JOIN LATERAL (
    SELECT organization_id, created_at, 'insight' AS subject, state, '' AS decision FROM insight
    WHERE created_at >= CAST(day.utc_day AS timestamp) AT TIME ZONE 'UTC'
      AND created_at < CAST(day.utc_day + 1 AS timestamp) AT TIME ZONE 'UTC'
    UNION ALL
    SELECT organization_id, created_at, 'summary', state, decision FROM summary
    WHERE created_at >= CAST(day.utc_day AS timestamp) AT TIME ZONE 'UTC'
      AND created_at < CAST(day.utc_day + 1 AS timestamp) AT TIME ZONE 'UTC'
) AS made
LEFT JOIN organization ON organization.id = made.organization_id
LEFT JOIN {stretches} ON stretch.time_zone = coalesce(organization.timezone, 'UTC')
    AND stretch.utc_day = day.utc_day
    AND made.created_at >= stretch.begins_at AND made.created_at < stretch.ends_at
GROUP BY day.utc_day, made.organization_id, stretch.local_day, made.subject, made.state, made.decision

-- name: stage_ledger_day
-- The ledger's own sums, to hold the rollups against: without their joins, and with calls counted another way (all of
-- the day's, less those that had an attempt before the day).
INSERT INTO staged_ledger_day (run_id, utc_day, calls, attempts, adjustments, input_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, hit_rates, hit_rates_sum, cost_usd)
WITH called AS (
    SELECT DISTINCT day.utc_day, log.organization_id, log.call_id FROM {touched} WHERE log.outcome <> 'adjustment'
), opened AS (
    SELECT utc_day, count(*) AS calls FROM called
    WHERE call_id NOT IN (SELECT call_id FROM repeated) OR NOT EXISTS (
        SELECT FROM ai_usage_log AS before
        WHERE before.call_id = called.call_id AND before.organization_id = called.organization_id
          AND before.outcome <> 'adjustment'
          AND before.occurred_at < CAST(called.utc_day AS timestamp) AT TIME ZONE 'UTC'
    )
    GROUP BY utc_day
), added AS (
    SELECT day.utc_day, count(*) FILTER (WHERE log.outcome <> 'adjustment') AS attempts,
        count(*) FILTER (WHERE log.outcome = 'adjustment') AS adjustments,
        sum(log.input_tokens) AS input_tokens, sum(log.cache_read_tokens) AS cache_read_tokens,
        sum(log.cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(log.cache_write_1h_tokens) AS cache_write_1h_tokens, sum(log.output_tokens) AS output_tokens,
        count(log.cache_hit_rate) AS hit_rates, coalesce(sum(log.cache_hit_rate), 0) AS hit_rates_sum,
        sum(coalesce(log.cost_usd, log.estimated_cost_usd)) AS cost_usd
    FROM {touched} GROUP BY day.utc_day
)
SELECT :run_id, utc_day, coalesce(calls, 0), attempts, adjustments, input_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, hit_rates, hit_rates_sum, cost_usd
FROM added LEFT JOIN opened USING (utc_day)

-- name: stage_price_gap
-- Rows whose cost is not what the list makes of their tokens. A refusal before any output costs nothing; what was
-- turned away, expired or cancelled never does; an estimate, or an adjustment, is no price.
INSERT INTO staged_price_gap (run_id, utc_day, attempt_id, organization_id, model, outcome, cost_usd, allowed_usd,
    price_version, same_list)
SELECT :run_id, utc_day, attempt_id, organization_id, model, outcome, settled_usd,
    CASE WHEN outcome IN ('rejected', 'expired', 'canceled') THEN 0 ELSE listed_usd END,
    price_version, price_version = :price_version
FROM booked
WHERE CASE
    WHEN outcome IN ('rejected', 'expired', 'canceled') THEN settled_usd <> 0
    WHEN outcome IN ('succeeded', 'unusable') THEN settled_usd IS DISTINCT FROM listed_usd
    WHEN outcome = 'refused' THEN settled_usd <> 0 AND settled_usd IS DISTINCT FROM listed_usd
    ELSE false
END

-- name: begin
-- A run has taken these days.
INSERT INTO rollup_run (run_id, flow_run_id, started_at, days, staged_rows, published)
VALUES (:run_id, :flow_run_id, :started_at, CAST(:days AS date[]), '{}', false)

-- name: note_staged
-- It has staged so many rows of each table.
UPDATE rollup_run SET staged_rows = CAST(:staged_rows AS jsonb) WHERE run_id = :run_id

-- name: staged_rows
-- How many rows of each table it has staged.
SELECT staged_rows FROM rollup_run WHERE run_id = :run_id

-- name: end
-- A run has ended, the first time that it is said.
UPDATE rollup_run SET ended_at = :ended_at, published = :published
WHERE run_id = :run_id AND ended_at IS NULL

-- name: one_publisher
-- Whoever publishes waits for who is publishing.
SELECT pg_advisory_xact_lock(hashtext('touchline.rollup.publish'))

-- name: compare_by_hash
-- For the transaction that publishes: what is staged and what is published are compared as wholes, never row by row,
-- whatever is thought of tables that were empty a moment ago.
SELECT set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true)

-- name: note_published
-- These days are published by this run.
INSERT INTO rollup_day (utc_day, run_id, published_at, price_version, ledger_rows)
SELECT day.utc_day, :run_id, :published_at, :price_version, coalesce(ledger.attempts + ledger.adjustments, 0)
FROM unnest(CAST(:days AS date[])) AS day (utc_day)
LEFT JOIN staged_ledger_day AS ledger ON ledger.utc_day = day.utc_day AND ledger.run_id = :run_id
ON CONFLICT (utc_day) DO UPDATE
SET run_id = excluded.run_id, published_at = excluded.published_at, price_version = excluded.price_version,
    ledger_rows = excluded.ledger_rows

-- name: clear_marks
-- Clear the marks that were read, and no others. What somebody is writing right now stays marked: nobody waits.
DELETE FROM rollup_dirty_day WHERE (subject, utc_day, writer) IN (
    SELECT standing.subject, standing.utc_day, standing.writer
    FROM jsonb_to_recordset(CAST(:marks AS jsonb)) AS seen (subject text, utc_day date, writer integer, marks bigint)
    JOIN rollup_dirty_day AS standing USING (subject, utc_day, writer)
    WHERE standing.marks = seen.marks
    FOR UPDATE OF standing SKIP LOCKED
)
