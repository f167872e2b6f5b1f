-- fragment: plain_name
-- A model's name without its date, so that what was counted for one is found for the other.
regexp_replace(model, '-(20[0-9][0-9][0-9][0-9][0-9][0-9]|latest)$', '')

-- name: requests_alike
-- What was answered and paid, in groups that share a prefix, a run and a price list, run by run. The prefix of a group
-- is the shared front of its prompts (instructions, sport, tone): as long as the API has counted it, else as the
-- shortest that was cached in this run; null when neither is known. The front's tokens are told by how they were billed:
-- read, written for 5 minutes, written for 1 hour; `first_read_tokens` were read by the run's first request with it.
WITH answered AS MATERIALIZED (
    SELECT flow_run_id, prompt_version, model, service_tier, coalesce(inference_geo, 'global') AS inference_geo,
        CAST(occurred_at AT TIME ZONE 'UTC' AS date) AS utc_day, occurred_at, lane, organization_id,
        input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, cost_usd,
        cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS cached_tokens,
        input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS prompt_tokens
    FROM ai_usage_log
    WHERE occurred_at >= :begins_at AND occurred_at < :ends_at
      AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
      AND outcome IN ('succeeded', 'unusable', 'refused') AND cost_usd > 0
), seen AS MATERIALIZED (
    SELECT flow_run_id, prompt_version, model, service_tier, inference_geo,
        min(nullif(cached_tokens, 0)) AS cached_tokens, min(prompt_tokens) AS prompt_tokens,
        (min(ARRAY[CAST(extract(epoch FROM occurred_at) * 1000000 AS bigint), cache_read_tokens]))[2]
            AS first_read_tokens
    FROM answered GROUP BY flow_run_id, prompt_version, model, service_tier, inference_geo
), used AS (
    SELECT prompt_version, model, {plain_name} AS plain_model FROM seen GROUP BY prompt_version, model
), layer AS (
    SELECT used.prompt_version, used.model, used.plain_model, text.name, text.text_key
    FROM used JOIN prompt ON prompt.version = used.prompt_version CROSS JOIN LATERAL (VALUES
        ('instructions', left(encode(sha256(convert_to(prompt.instructions, 'UTF8')), 'hex'), 16)),
        ('sport', left(encode(sha256(convert_to(prompt.sport_sheet, 'UTF8')), 'hex'), 16)),
        ('tone', left(encode(sha256(convert_to(prompt.tone_text, 'UTF8')), 'hex'), 16)),
        ('frame', 'frame:one:' || left(encode(sha256(convert_to(prompt.answer_schema, 'UTF8')), 'hex'), 16)),
        ('frame', 'frame:pack:' || left(encode(sha256(convert_to(prompt.answer_schema, 'UTF8')), 'hex'), 16))
    ) AS text (name, text_key)
), counted AS (
    SELECT layer.prompt_version, layer.model, layer.name, min(count.tokens) AS tokens
    FROM layer JOIN (SELECT {plain_name} AS plain_model, text_key, tokens FROM token_count) AS count
        USING (plain_model, text_key)
    GROUP BY layer.prompt_version, layer.model, layer.name
), front AS MATERIALIZED (
    SELECT prompt_version, model, CAST(sum(tokens) AS integer) AS tokens FROM counted
    GROUP BY prompt_version, model HAVING count(*) FILTER (WHERE name <> 'frame') = 3
), measured AS MATERIALIZED (
    SELECT seen.flow_run_id, seen.prompt_version, seen.model, seen.service_tier, seen.inference_geo,
        seen.first_read_tokens, front.tokens AS counted_tokens,
        CASE WHEN coalesce(front.tokens, seen.cached_tokens) IS NOT NULL
            THEN least(coalesce(front.tokens, seen.cached_tokens), seen.prompt_tokens) END AS front_tokens
    FROM seen LEFT JOIN front USING (prompt_version, model)
)
SELECT flow_run_id, prompt_version, model, service_tier, inference_geo, answered.utc_day,
    measured.counted_tokens, measured.front_tokens,
    least(measured.first_read_tokens, measured.front_tokens) AS first_read_tokens,
    min(answered.lane) AS lane, min(answered.occurred_at) AS first_at, count(*) AS requests,
    min(answered.prompt_tokens) AS prompt_tokens,
    sum(answered.input_tokens) AS input_tokens, sum(answered.cache_read_tokens) AS cache_read_tokens,
    sum(answered.cache_write_5m_tokens) AS cache_write_5m_tokens,
    sum(answered.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(answered.output_tokens) AS output_tokens, sum(answered.cost_usd) AS cost_usd,
    sum(least(answered.cache_read_tokens, measured.front_tokens)) AS front_read,
    sum(least(answered.cache_read_tokens + answered.cache_write_1h_tokens, measured.front_tokens)) AS front_to_1h,
    sum(least(answered.cached_tokens, measured.front_tokens)) AS front_cached
FROM answered JOIN measured USING (flow_run_id, prompt_version, model, service_tier, inference_geo)
GROUP BY flow_run_id, prompt_version, model, service_tier, inference_geo, answered.utc_day,
    width_bucket(answered.prompt_tokens, CAST(:size_starts AS integer[])),
    measured.counted_tokens, measured.front_tokens, measured.first_read_tokens
ORDER BY flow_run_id, prompt_version, model, service_tier, inference_geo, answered.utc_day

-- name: versions
-- What prompt versions were for.
SELECT version, sport, tone FROM prompt WHERE version = ANY(CAST(:versions AS text[]))

-- name: runs
-- What runs came to; of one that was killed the figures are null, and a club sees only runs that were its own.
SELECT run_id, lane, model, organization_id, started_at, ended_at, insights, calls, billed_usd, uncached_usd, floor_usd,
    efficiency, alone_uncached_usd, alone_cached_usd, packed_usd
FROM summary_run WHERE run_id = ANY(CAST(:run_ids AS text[]))
