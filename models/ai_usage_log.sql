-- name: settle
-- Settle an attempt once: what it used, what it cost, what became of it.
UPDATE ai_usage_log SET outcome = :outcome, outcome_reason = :outcome_reason, model = :model,
    service_tier = :service_tier, inference_geo = :inference_geo, input_tokens = :input_tokens,
    cache_read_tokens = :cache_read_tokens, cache_write_5m_tokens = :cache_write_5m_tokens,
    cache_write_1h_tokens = :cache_write_1h_tokens, output_tokens = :output_tokens,
    thinking_tokens = :thinking_tokens, cost_usd = :cost_usd, price_version = :price_version,
    cache_hit_rate = :cache_hit_rate, latency_ms = :latency_ms, request_id = :request_id,
    recorded_at = :recorded_at
WHERE attempt_id = :attempt_id AND outcome IN ('sent', 'lost')

-- name: settle_many
-- Settle many attempts at once, each once.
UPDATE ai_usage_log SET outcome = settled.outcome, outcome_reason = settled.outcome_reason, model = settled.model,
    service_tier = settled.service_tier, inference_geo = settled.inference_geo, input_tokens = settled.input_tokens,
    cache_read_tokens = settled.cache_read_tokens, cache_write_5m_tokens = settled.cache_write_5m_tokens,
    cache_write_1h_tokens = settled.cache_write_1h_tokens, output_tokens = settled.output_tokens,
    thinking_tokens = settled.thinking_tokens, cost_usd = settled.cost_usd, price_version = settled.price_version,
    cache_hit_rate = settled.cache_hit_rate, latency_ms = settled.latency_ms, request_id = settled.request_id,
    recorded_at = settled.recorded_at
FROM jsonb_to_recordset(CAST(:settlements AS jsonb)) AS settled (attempt_id text, outcome text, outcome_reason text,
    model text, service_tier text, inference_geo text, input_tokens int, cache_read_tokens int,
    cache_write_5m_tokens int, cache_write_1h_tokens int, output_tokens int, thinking_tokens int, cost_usd numeric,
    price_version text, cache_hit_rate numeric, latency_ms int, request_id text, recorded_at timestamptz)
WHERE ai_usage_log.attempt_id = settled.attempt_id AND ai_usage_log.outcome IN ('sent', 'lost')

-- name: lose_unheard
-- Attempts of an operation that has no leases to end, and that nobody waits for any more, are lost: those of one run
-- that has ended, or all that were sent before any that could still be heard.
UPDATE ai_usage_log SET outcome = 'lost', outcome_reason = 'run_ended', recorded_at = :now
WHERE operation = :operation AND outcome = 'sent'
  AND (flow_run_id = :flow_run_id OR occurred_at < CAST(:sent_before AS timestamptz))

-- name: place
-- Where an attempt stands in the order of the list.
SELECT occurred_at AS at, attempt_id AS id FROM ai_usage_log WHERE attempt_id = :id

-- name: list
-- Ledger rows in the order they were sent, one page after another.
SELECT * FROM ai_usage_log
WHERE (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
  AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
  AND (CAST(:after_id AS text) IS NULL
    OR (occurred_at, attempt_id) > (CAST(:after_at AS timestamptz), :after_id))
ORDER BY occurred_at, attempt_id LIMIT :row_limit

-- name: show
-- One attempt, whole.
SELECT * FROM ai_usage_log WHERE attempt_id = :attempt_id

-- name: insights_of
-- Which insights an attempt was made for.
SELECT insight_id FROM ai_usage_insight WHERE attempt_id = :attempt_id ORDER BY insight_id

-- name: totals_by_model
-- The ledger's own sums, to hold against another meter: what was billed, attempt by attempt.
SELECT model, service_tier, count(*) AS requests, sum(input_tokens) AS input_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens, sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(cache_read_tokens) AS cache_read_tokens, sum(output_tokens) AS output_tokens,
    sum(coalesce(cost_usd, estimated_cost_usd)) AS cost_usd
FROM ai_usage_log
WHERE outcome IN ('sent', 'lost', 'succeeded', 'unusable', 'refused')
GROUP BY model, service_tier ORDER BY model, service_tier
