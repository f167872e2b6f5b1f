-- name: record
-- Write down a batch that is about to be sent.
INSERT INTO message_batch (batch_id, run_id, account, model, kind, stage, state, requests, prefixes, created_at,
    sent_until, due_at)
VALUES (:batch_id, :run_id, :account, :model, :kind, :stage, 'sent', :requests, CAST(:prefixes AS jsonb),
    :created_at, :sent_until, :due_at)

-- name: record_attempts
-- Write its calls into the ledger, as sent.
INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id, player_id,
    operation, model, lane, service_tier, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, thinking_tokens, estimated_cost_usd, price_version, outcome,
    prompt_version, flow_run_id, batch_id)
SELECT attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id, player_id, operation, model, lane,
    service_tier, 0, 0, 0, 0, 0, 0, estimated_cost_usd, price_version, outcome, prompt_version, flow_run_id, batch_id
FROM jsonb_to_recordset(CAST(:attempts AS jsonb)) AS call (attempt_id text, call_id text, occurred_at timestamptz,
    recorded_at timestamptz, organization_id text, coach_id text, player_id text, operation text, model text,
    lane text, service_tier text, estimated_cost_usd numeric, price_version text, outcome text, prompt_version text,
    flow_run_id text, batch_id text)

-- name: record_items
-- Write down what its items ask about, and link them in the ledger.
WITH item AS (
    INSERT INTO batch_item (attempt_id, batch_id, insight_ids, packed, prefix_key, marked, front_tokens,
        predicted_input_tokens, predicted_read_tokens, predicted_write_tokens, predicted_output_tokens)
    SELECT attempt_id, batch_id, insight_ids, packed, prefix_key, marked, front_tokens, predicted_input_tokens,
        predicted_read_tokens, predicted_write_tokens, predicted_output_tokens
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS item (attempt_id text, batch_id text, insight_ids text[],
        packed boolean, prefix_key text, marked int, front_tokens int, predicted_input_tokens int,
        predicted_read_tokens int, predicted_write_tokens int, predicted_output_tokens int)
    RETURNING attempt_id, insight_ids
)
INSERT INTO ai_usage_insight (attempt_id, insight_id) SELECT attempt_id, unnest(insight_ids) FROM item

-- name: still_sending
-- The sender goes on trying: until then nobody need ask where the batch is.
UPDATE message_batch SET sent_until = :sent_until WHERE batch_id = :batch_id AND state = 'sent'

-- name: opened
-- The API has the batch, under its own id. Should it have been given up meanwhile, its calls are paid for all the
-- same: they are open again, to be booked when it is collected.
WITH opened AS (
    UPDATE message_batch SET state = 'open', vendor_id = :vendor_id, opened_at = :opened_at, collected_at = NULL
    WHERE batch_id = :batch_id AND state IN ('sent', 'missing') AND vendor_id IS NULL
    RETURNING batch_id
)
UPDATE ai_usage_log SET outcome = 'sent', outcome_reason = NULL, cost_usd = NULL
WHERE outcome = 'rejected' AND outcome_reason = 'batch_not_created'
  AND attempt_id IN (SELECT attempt_id FROM batch_item JOIN opened USING (batch_id))

-- name: closed
-- Nothing more will be heard of a batch.
UPDATE message_batch SET state = :state, ended_at = coalesce(CAST(:ended_at AS timestamptz), ended_at),
    collected_at = :now, collector = NULL, collector_until = NULL
WHERE batch_id = :batch_id AND state IN ('sent', 'open')

-- name: end_unsettled
-- What of a batch has no result, and gets none any more: its attempts are settled without one, and the insights that
-- still wait for it go on; `unusable` counts a call that may have been paid for, and the second one parks.
WITH ended AS (
    UPDATE ai_usage_log SET outcome = CAST(:outcome AS text), outcome_reason = :outcome_reason, recorded_at = :now,
        cost_usd = CASE WHEN CAST(:outcome AS text) = 'lost' THEN NULL ELSE 0 END
    WHERE outcome = 'sent' AND attempt_id IN (SELECT attempt_id FROM batch_item WHERE batch_id = :batch_id)
    RETURNING attempt_id
)
UPDATE insight SET state_reason = :state_reason, not_before = :not_before,
    state = CASE WHEN insight.unusable_answers > 0 AND CAST(:unusable AS int) > 0 THEN 'parked'
        ELSE CAST(:state AS text) END,
    missed_due = insight.missed_due OR CAST(:missed_due AS boolean),
    unusable_answers = insight.unusable_answers + CAST(:unusable AS int)
WHERE state = 'in_batch'
  AND id IN (SELECT unnest(insight_ids) FROM batch_item JOIN ended USING (attempt_id))
RETURNING id

-- name: unfinished
-- Batches that something is still to be heard of, oldest first: all of an account, or these.
SELECT * FROM message_batch
WHERE account = :account AND state IN ('sent', 'open')
  AND (CAST(:batch_ids AS text[]) IS NULL OR batch_id = ANY(CAST(:batch_ids AS text[])))
ORDER BY created_at, batch_id

-- name: whole
-- One batch.
SELECT * FROM message_batch WHERE batch_id = :batch_id

-- name: canceling
-- Why a batch is about to be ended; the first reason stays.
UPDATE message_batch SET cancel_reason = coalesce(cancel_reason, :reason) WHERE batch_id = :batch_id

-- name: canceled
-- The API has been asked to end a batch.
UPDATE message_batch SET canceled_at = :now, cancel_reason = coalesce(cancel_reason, :reason)
WHERE batch_id = :batch_id AND canceled_at IS NULL

-- name: any_canceled
-- Whether any of these was asked to end before it was due.
SELECT batch_id FROM message_batch
WHERE batch_id = ANY(CAST(:batch_ids AS text[])) AND canceled_at IS NOT NULL
  AND cancel_reason <> 'due' LIMIT 1

-- name: lease
-- Become the one who collects a batch, or go on being it; no row while somebody else does.
UPDATE message_batch SET collector = :collector, collector_until = :collector_until
WHERE batch_id = :batch_id AND state = 'open'
  AND (collector IS NULL OR collector = :collector OR collector_until <= :now)
RETURNING cancel_reason

-- name: to_settle
-- Which of these items are not settled yet, held until the end of the transaction.
SELECT item.attempt_id, log.occurred_at, log.model, log.price_version, log.prompt_version, item.packed,
    item.insight_ids, prompt.tone, log.organization_id, log.player_id
FROM batch_item AS item JOIN ai_usage_log AS log USING (attempt_id)
    JOIN prompt ON prompt.version = log.prompt_version
WHERE item.batch_id = :batch_id AND item.attempt_id = ANY(CAST(:attempt_ids AS text[]))
  AND log.outcome = 'sent'
ORDER BY item.attempt_id FOR UPDATE OF log

-- name: insights_to_settle
-- The insights of items as they are now, held until the end of the transaction.
SELECT insight.id, insight.title, insight.description, player.first_name, player.last_name, insight.category,
    coach.skip_sensitive, coach.summaries_enabled, insight.unusable_answers,
    insight.state = 'in_batch' AS waiting
FROM insight JOIN coach ON coach.id = insight.coach_id JOIN player ON player.id = insight.player_id
WHERE insight.id = ANY(CAST(:insight_ids AS text[])) ORDER BY insight.id FOR UPDATE OF insight

-- name: owner_of
-- Which batch an item is in.
SELECT batch_id FROM batch_item WHERE attempt_id = :attempt_id

-- name: vendor_ids
-- Which of these of the API's batches are known to be ours.
SELECT vendor_id FROM message_batch WHERE account = :account AND vendor_id = ANY(CAST(:vendor_ids AS text[]))

-- name: usual_seconds
-- How long the latest batches took, from the API having them to their end.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - opened_at)) AS seconds
FROM (
    SELECT ended_at, opened_at FROM message_batch
    WHERE account = :account AND state = 'collected' AND canceled_at IS NULL
    ORDER BY created_at DESC LIMIT :row_limit
) AS latest

-- name: of_runs
-- All batches of these runs, with what tells the prefixes of their calls.
SELECT batch_id, run_id, kind, state, prefixes FROM message_batch
WHERE run_id = ANY(CAST(:run_ids AS text[])) ORDER BY created_at, batch_id

-- name: calls_of
-- The calls of batches as they are on the ledger, with what was planned.
SELECT item.batch_id, item.insight_ids, item.packed, item.prefix_key, item.marked, item.front_tokens,
    item.predicted_input_tokens, item.predicted_read_tokens, item.predicted_write_tokens,
    item.predicted_output_tokens, log.occurred_at, log.model, log.service_tier, log.inference_geo, log.outcome,
    log.input_tokens, log.cache_read_tokens, log.cache_write_5m_tokens, log.cache_write_1h_tokens,
    log.output_tokens, log.thinking_tokens, log.cost_usd, log.estimated_cost_usd,
    message_batch.model AS asked_model
FROM batch_item AS item JOIN ai_usage_log AS log USING (attempt_id)
    JOIN message_batch ON message_batch.batch_id = item.batch_id
WHERE item.batch_id = ANY(CAST(:batch_ids AS text[]))

-- name: insights_of
-- How the insights of batches stand now.
SELECT state, state_reason, missed_due, count(*) AS insights FROM insight
WHERE id IN (SELECT unnest(insight_ids) FROM batch_item WHERE batch_id = ANY(CAST(:batch_ids AS text[])))
GROUP BY state, state_reason, missed_due ORDER BY state, state_reason

-- name: progress
-- How many calls a run has sent in its main batches, and how many of them are settled.
SELECT count(*) AS sent, count(*) FILTER (WHERE log.outcome <> 'sent') AS collected
FROM ai_usage_log AS log JOIN message_batch USING (batch_id)
WHERE log.flow_run_id = :run_id AND message_batch.kind = 'main'

-- name: place
-- Where a batch stands in the order of the list.
SELECT created_at AS at, batch_id AS id FROM message_batch WHERE batch_id = :id

-- name: need_attention
-- How many batches are open, and how many of them past the time at which they should have been cancelled.
SELECT count(*) AS batches_open, count(*) FILTER (WHERE due_at <= :now) AS batches_overdue
FROM message_batch WHERE state IN ('sent', 'open')

-- name: list
-- Batches in the order they were made, one page after another.
SELECT batch_id, vendor_id, run_id, kind, stage, state, requests, created_at, due_at, ended_at, cancel_reason
FROM message_batch
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:after_id AS text) IS NULL
    OR (created_at, batch_id) > (CAST(:after_at AS timestamptz), :after_id))
ORDER BY created_at, batch_id LIMIT :row_limit

-- name: show
-- One batch, whole.
SELECT batch_id, vendor_id, run_id, model, kind, stage, state, requests, created_at, sent_until, due_at, opened_at,
    canceled_at, cancel_reason, ended_at, collected_at, collector, collector_until
FROM message_batch WHERE batch_id = :batch_id

-- name: outcomes
-- What became of the items of a batch so far.
SELECT log.outcome, log.outcome_reason, count(*) AS items, sum(coalesce(log.cost_usd, log.estimated_cost_usd)) AS cost_usd
FROM batch_item AS item JOIN ai_usage_log AS log USING (attempt_id)
WHERE item.batch_id = :batch_id GROUP BY 1, 2 ORDER BY 1, 2
