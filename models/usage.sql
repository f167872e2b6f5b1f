-- fragment: dirty
-- The ledger rows of the intervals that the rollups do not tell the truth about, each interval through an index; those
-- of one club, coach or player when it is given.
unnest(CAST(:begins_at AS timestamptz[]), CAST(:ends_at AS timestamptz[])) AS dirty (begins_at, ends_at)
JOIN ai_usage_log AS log ON log.occurred_at >= dirty.begins_at AND log.occurred_at < dirty.ends_at
    AND log.occurred_at >= CAST(:first_at AS timestamptz) AND log.occurred_at < CAST(:last_at AS timestamptz)
    AND (CAST(:organization_id AS text) IS NULL OR log.organization_id = :organization_id)
    AND (CAST(:coach_id AS text) IS NULL OR log.coach_id = :coach_id)
    AND (CAST(:player_id AS text) IS NULL OR log.player_id = :player_id)

-- fragment: clean
-- The rollup rows of all other days of the range, of one club: a short scan for each day.
utc_day = ANY(CAST(:clean_days AS date[])) AND organization_id = :organization_id
    AND local_day >= CAST(:from_day AS date) AND local_day < CAST(:to_day AS date)

-- fragment: local_day
-- The club's own day: `day_starts` are the instants at which the days of the range begin, and it ends.
CAST(:from_day AS date) + width_bucket(log.occurred_at, CAST(:day_starts AS timestamptz[])) - 1 AS local_day

-- fragment: figures
-- One ledger row as the rollups add it up. A call counts where its first attempt is, so that calls add up over days and
-- over any other parts; an adjustment is money and tokens, but no attempt. What caching saved is priced apart.
CAST(log.outcome <> 'adjustment' AND NOT EXISTS (
        SELECT FROM ai_usage_log AS earlier
        WHERE earlier.call_id = log.call_id AND earlier.organization_id = log.organization_id
          AND earlier.outcome <> 'adjustment'
          AND (earlier.occurred_at, earlier.attempt_id) < (log.occurred_at, log.attempt_id)
    ) AS integer) AS calls,
    CAST(log.outcome <> 'adjustment' AS integer) AS attempts,
    CAST(log.outcome = 'adjustment' AS integer) AS adjustments,
    log.input_tokens, log.cache_read_tokens, log.cache_write_5m_tokens, log.cache_write_1h_tokens, log.output_tokens,
    CAST(log.cache_hit_rate IS NOT NULL AS integer) AS hit_rates, coalesce(log.cache_hit_rate, 0) AS hit_rates_sum,
    coalesce(log.cost_usd, log.estimated_cost_usd) AS cost_usd, 0 AS saved_usd

-- fragment: names
calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    output_tokens, hit_rates, hit_rates_sum, cost_usd, saved_usd

-- fragment: sums
CAST(coalesce(sum(calls), 0) AS bigint) AS calls, CAST(coalesce(sum(attempts), 0) AS bigint) AS attempts,
    CAST(coalesce(sum(adjustments), 0) AS bigint) AS adjustments,
    CAST(coalesce(sum(input_tokens), 0) AS bigint) AS input_tokens,
    CAST(coalesce(sum(cache_read_tokens), 0) AS bigint) AS cache_read_tokens,
    CAST(coalesce(sum(cache_write_5m_tokens), 0) AS bigint) AS cache_write_5m_tokens,
    CAST(coalesce(sum(cache_write_1h_tokens), 0) AS bigint) AS cache_write_1h_tokens,
    CAST(coalesce(sum(output_tokens), 0) AS bigint) AS output_tokens,
    CAST(coalesce(sum(hit_rates), 0) AS bigint) AS hit_rates, coalesce(sum(hit_rates_sum), 0) AS hit_rates_sum,
    coalesce(sum(cost_usd), 0) AS cost_usd, coalesce(sum(saved_usd), 0) AS saved_usd

-- fragment: in_local_days
-- Every dirty row with its UTC day and its club's own; in UTC for a club that nobody knows. `stretches` say where the
-- local days of each time zone cut the UTC days.
{dirty}
JOIN LATERAL (SELECT CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) AS utc_day) AS utc ON true
LEFT JOIN organization ON organization.id = log.organization_id
LEFT JOIN jsonb_to_recordset(CAST(:stretches AS jsonb)) AS stretch (time_zone text, utc_day date, local_day date,
        begins_at timestamptz, ends_at timestamptz)
    ON stretch.time_zone = coalesce(organization.timezone, 'UTC') AND stretch.utc_day = utc.utc_day
    AND log.occurred_at >= stretch.begins_at AND log.occurred_at < stretch.ends_at

-- fragment: wanted_keys
-- By what is added up: a key that is not among `by` is null in every row.
CASE WHEN 'utc_day' = ANY(CAST(:by AS text[])) THEN utc_day END AS utc_day,
    CASE WHEN 'local_day' = ANY(CAST(:by AS text[])) THEN local_day END AS local_day,
    CASE WHEN 'organization_id' = ANY(CAST(:by AS text[])) THEN organization_id END COLLATE "C" AS organization_id,
    CASE WHEN 'operation' = ANY(CAST(:by AS text[])) THEN operation END COLLATE "C" AS operation,
    CASE WHEN 'model' = ANY(CAST(:by AS text[])) THEN model END COLLATE "C" AS model,
    CASE WHEN 'lane' = ANY(CAST(:by AS text[])) THEN lane END COLLATE "C" AS lane,
    CASE WHEN 'service_tier' = ANY(CAST(:by AS text[])) THEN service_tier END COLLATE "C" AS service_tier

-- fragment: total_input_tokens
log.input_tokens + log.cache_read_tokens + log.cache_write_5m_tokens + log.cache_write_1h_tokens

-- name: read_by_index
-- For a reading transaction: walk an index although sorting the whole ledger may look cheaper for a rare
-- outcome or a large club, and plan each query for its own values, not for any that may come.
SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('jit', 'off', true)

-- name: organization
-- An organisation, with the time zone in which its people read days.
SELECT id, name, timezone FROM organization WHERE id = :organization_id

-- name: time_zones
-- The time zones of all clubs, each with one of them.
SELECT timezone, min(id) AS id FROM organization GROUP BY timezone ORDER BY timezone

-- name: coach
-- A coach, by the key of the person or by the auth system's own id.
SELECT id, organization_id, name FROM coach WHERE id = :person_id OR auth_id = :person_id
ORDER BY id = :person_id DESC LIMIT 1

-- name: player
-- A player's club; nothing else of a child is read.
SELECT id, organization_id FROM player WHERE id = :player_id

-- name: dirty_days
-- The days, UTC, that the rollups do not tell the truth about: their ledger has changed since, or the price list has
-- that their savings are by.
SELECT utc_day FROM rollup_dirty_day
WHERE subject = 'usage' AND utc_day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
UNION SELECT utc_day FROM rollup_day
WHERE price_version <> :price_version AND utc_day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)

-- name: organization_usage
-- A club's usage in one pass: in all, by operation, model and local day, and its dearest coaches and players, of whom
-- only calls and cost are asked for.
WITH booked AS MATERIALIZED (
    SELECT log.operation, log.model, log.coach_id, log.player_id, {local_day}, {figures} FROM {dirty}
), called AS (
    SELECT operation, model, local_day, {names} FROM rollup_organization_day WHERE {clean}
    UNION ALL SELECT operation, model, local_day, {names} FROM booked
), coached AS (
    SELECT coach_id, calls, cost_usd FROM rollup_coach_day WHERE {clean}
    UNION ALL SELECT coach_id, calls, cost_usd FROM booked
), played AS (
    SELECT player_id, calls, cost_usd FROM rollup_player_day WHERE {clean}
    UNION ALL SELECT player_id, calls, cost_usd FROM booked
), dearest AS (
    (SELECT 'coach_id' AS part, coach_id AS key, CAST(sum(calls) AS bigint) AS calls, sum(cost_usd) AS cost_usd
    FROM coached GROUP BY coach_id ORDER BY sum(cost_usd) DESC, coach_id COLLATE "C" LIMIT :top)
    UNION ALL
    (SELECT 'player_id', player_id, CAST(sum(calls) AS bigint), sum(cost_usd)
    FROM played GROUP BY player_id ORDER BY sum(cost_usd) DESC, player_id COLLATE "C" LIMIT :top)
)
SELECT CASE
        WHEN GROUPING(operation) = 0 THEN 'operation'
        WHEN GROUPING(model) = 0 THEN 'model'
        WHEN GROUPING(local_day) = 0 THEN 'day'
        ELSE 'all'
    END AS part,
    coalesce(operation, model, CAST(local_day AS text), '') AS key, CAST(NULL AS text) AS name, {sums}
FROM called GROUP BY GROUPING SETS ((), (operation), (model), (local_day))
UNION ALL
SELECT dearest.part, dearest.key, coach.name, dearest.calls, 0, 0, 0, 0, 0, 0, 0, 0, 0, dearest.cost_usd, 0
FROM dearest LEFT JOIN coach ON dearest.part = 'coach_id' AND coach.id = dearest.key

-- name: platform_usage
-- What all clubs used together, by UTC days: in all, by operation, model and day, and the dearest clubs.
WITH booked AS MATERIALIZED (
    SELECT log.operation, log.model, log.organization_id,
        CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) AS utc_day, {figures}
    FROM {dirty}
), called AS (
    SELECT operation, model, utc_day, {names} FROM rollup_platform_day
    WHERE utc_day = ANY(CAST(:clean_days AS date[]))
    UNION ALL SELECT operation, model, utc_day, {names} FROM booked
)
SELECT CASE
        WHEN GROUPING(operation) = 0 THEN 'operation'
        WHEN GROUPING(model) = 0 THEN 'model'
        WHEN GROUPING(utc_day) = 0 THEN 'day'
        ELSE 'all'
    END AS part,
    coalesce(operation, model, CAST(utc_day AS text), '') AS key, {sums}
FROM called GROUP BY GROUPING SETS ((), (operation), (model), (utc_day))

-- name: scan_rollups
-- For the next query, which reads no ledger: a year of all clubs' rollups is read faster as it lies.
SELECT set_config('enable_seqscan', 'on', true)

-- name: rolled_cost_of_organizations
-- What each club cost on the clean days.
SELECT organization_id, sum(cost_usd) AS cost_usd FROM rollup_organization_day
WHERE utc_day = ANY(CAST(:clean_days AS date[]))
GROUP BY organization_id

-- name: dirty_cost_of_organizations
-- What each club cost in the dirty intervals.
SELECT log.organization_id, sum(coalesce(log.cost_usd, log.estimated_cost_usd)) AS cost_usd FROM {dirty}
GROUP BY log.organization_id

-- name: organization_names
-- The names of clubs; the ledger may know some that the platform does not, such as `evaluation`.
SELECT id, name FROM organization WHERE id = ANY(CAST(:organization_ids AS text[]))

-- name: usage_of_organizations
-- What each of a few clubs used, by UTC days.
WITH called AS (
    SELECT organization_id, {names} FROM rollup_organization_day
    WHERE utc_day = ANY(CAST(:clean_days AS date[])) AND organization_id = ANY(CAST(:organization_ids AS text[]))
    UNION ALL SELECT log.organization_id, {figures} FROM {dirty}
    WHERE log.organization_id = ANY(CAST(:organization_ids AS text[]))
)
SELECT organization_id AS key, {sums} FROM called GROUP BY organization_id

-- name: coach_usage
-- What one coach used, in all and by the club's own day.
WITH called AS (
    SELECT local_day, {names} FROM rollup_coach_day WHERE {clean} AND coach_id = :coach_id
    UNION ALL SELECT {local_day}, {figures} FROM {dirty}
)
SELECT CASE WHEN GROUPING(local_day) = 0 THEN 'day' ELSE 'all' END AS part,
    coalesce(CAST(local_day AS text), '') AS key, {sums}
FROM called GROUP BY GROUPING SETS ((), (local_day))

-- name: player_usage
-- What was used for one player, in all and by the club's own day.
WITH called AS (
    SELECT local_day, {names} FROM rollup_player_day WHERE {clean} AND player_id = :player_id
    UNION ALL SELECT {local_day}, {figures} FROM {dirty}
)
SELECT CASE WHEN GROUPING(local_day) = 0 THEN 'day' ELSE 'all' END AS part,
    coalesce(CAST(local_day AS text), '') AS key, {sums}
FROM called GROUP BY GROUPING SETS ((), (local_day))

-- name: priced_alike
-- What of the dirty intervals was answered and paid, in groups that share one price list: model, geography, UTC day and
-- size of prompt. `size_starts` are the prompt sizes at which a price may change. What is still an estimate is left
-- out: nobody knows its tokens.
SELECT log.model, log.inference_geo, CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) AS utc_day,
    min({total_input_tokens}) AS prompt_tokens, sum({total_input_tokens}) AS total_input_tokens,
    sum(log.output_tokens) AS output_tokens, sum(log.cost_usd) AS cost_usd
FROM {dirty}
WHERE log.outcome IN ('succeeded', 'unusable', 'refused') AND log.cost_usd > 0
GROUP BY log.model, log.inference_geo, utc_day,
    width_bucket({total_input_tokens}, CAST(:size_starts AS integer[]))

-- name: frame
-- Usage as finely as the rollups have it, or added up by fewer keys; of one club by its local days, or of all by UTC
-- days.
WITH called AS (
    SELECT utc_day, local_day, organization_id, operation, model, lane, service_tier, {names}
    FROM rollup_organization_day
    WHERE utc_day = ANY(CAST(:clean_days AS date[]))
      AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id
        AND local_day >= CAST(:from_day AS date) AND local_day < CAST(:to_day AS date))
    UNION ALL
    SELECT utc.utc_day, stretch.local_day, log.organization_id, log.operation, log.model, log.lane, log.service_tier,
        {figures}
    FROM {in_local_days}
), keyed AS (
    SELECT {wanted_keys}, {names} FROM called
)
SELECT utc_day, local_day, organization_id, operation, model, lane, service_tier, {sums} FROM keyed
GROUP BY utc_day, local_day, organization_id, operation, model, lane, service_tier
ORDER BY utc_day, local_day, organization_id, operation, model, lane, service_tier

-- name: frame_priced_alike
-- As `priced_alike`, for each row of the frame.
WITH priced AS (
    SELECT utc.utc_day, stretch.local_day, log.organization_id, log.operation, log.model, log.lane, log.service_tier,
        utc.utc_day AS priced_on, log.model AS priced_as, log.inference_geo,
        {total_input_tokens} AS total_input_tokens, log.output_tokens, log.cost_usd
    FROM {in_local_days}
    WHERE log.outcome IN ('succeeded', 'unusable', 'refused') AND log.cost_usd > 0
), keyed AS (
    SELECT {wanted_keys}, priced_on, priced_as, inference_geo, total_input_tokens, output_tokens, cost_usd FROM priced
)
SELECT utc_day AS by_utc_day, local_day, organization_id, operation, model AS by_model, lane, service_tier,
    priced_on AS utc_day, priced_as AS model, inference_geo, min(total_input_tokens) AS prompt_tokens,
    sum(total_input_tokens) AS total_input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd
FROM keyed
GROUP BY keyed.utc_day, local_day, organization_id, operation, keyed.model, lane, service_tier, priced_on, priced_as,
    inference_geo, width_bucket(total_input_tokens, CAST(:size_starts AS integer[]))
