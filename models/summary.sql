-- name: store
-- Store summaries, each unless its insight already has a live one of this prompt version, and note that they were made.
-- The people are taken from the insight, whose coach's key may have moved since it was claimed.
WITH stored AS (
    INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version, model,
        tone, category, model_category, category_confidence, confidence, reason, flags, text, state, rehearsal,
        created_at, decision, tier, decision_reasons, evidence, preview, revocable_until)
    SELECT made.id, insight.id, insight.organization_id, insight.coach_id, insight.player_id, made.attempt_id,
        made.prompt_version, made.model, made.tone, made.category, made.model_category, made.category_confidence,
        made.confidence, made.reason, made.flags, made.text, made.state, made.rehearsal, made.created_at,
        made.decision, made.tier, made.decision_reasons, made.evidence, made.preview, made.revocable_until
    FROM jsonb_to_recordset(CAST(:summaries AS jsonb)) AS made (id text, insight_id text, attempt_id text,
        prompt_version text, model text, tone text, category text, model_category text, category_confidence numeric,
        confidence numeric, reason text, flags text[], text text, state text, rehearsal boolean,
        created_at timestamptz, decision text, tier text, decision_reasons text[], evidence jsonb, preview text,
        revocable_until timestamptz)
    JOIN insight ON insight.id = made.insight_id
    ON CONFLICT (insight_id, prompt_version) WHERE state <> 'suppressed' DO NOTHING
    RETURNING id, created_at, state
)
INSERT INTO summary_event (summary_id, at, actor, event, to_state)
SELECT id, created_at, :actor, 'created', state FROM stored

-- name: place
-- Where a summary stands in the order of the list.
SELECT created_at AS at, id FROM summary WHERE id = :id

-- name: list
-- Summaries in the order they were made, one page after another.
SELECT id AS summary_id, insight_id, player_id, coach_id, state, category, confidence, rehearsal, created_at
FROM summary
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
  AND (CAST(:after_id AS text) IS NULL OR (created_at, id) > (CAST(:after_at AS timestamptz), :after_id))
ORDER BY created_at, id LIMIT :row_limit

-- name: show
-- One summary, whole, with the note it was made from, as its coach may see it.
SELECT summary.id AS summary_id, summary.insight_id, summary.organization_id, summary.player_id,
    summary.coach_id, summary.attempt_id, summary.state, summary.category, summary.model_category,
    summary.category_confidence, summary.confidence, summary.reason, summary.flags, summary.tone,
    summary.model, summary.prompt_version, summary.rehearsal, summary.created_at, summary.decision, summary.tier,
    summary.decision_reasons, summary.evidence, summary.preview, summary.revocable_until, summary.acknowledged_at,
    summary.suppression_reason, insight.title, insight.description, summary.text, summary.original_text
FROM summary JOIN insight ON insight.id = summary.insight_id
WHERE summary.id = :id

-- name: beside_notes
-- Summaries beside the notes they were made from, one of each tone first.
SELECT DISTINCT ON (summary.tone) summary.tone, summary.category, insight.title, insight.description, summary.text
FROM summary JOIN insight ON insight.id = summary.insight_id
ORDER BY summary.tone, summary.category <> 'normal', summary.insight_id
LIMIT :row_limit

-- name: to_review
-- A coach's summaries in a state, beside their notes, oldest first. For the coach alone: the note is private.
SELECT summary.id AS summary_id, summary.insight_id, summary.player_id, summary.state, summary.category,
    summary.confidence, summary.tier, summary.decision_reasons, summary.flags, summary.reason, summary.rehearsal,
    summary.created_at, summary.revocable_until, insight.title, insight.description, summary.text
FROM summary JOIN insight ON insight.id = summary.insight_id
WHERE summary.coach_id = :coach_id AND summary.state = :state
  AND (CAST(:after_id AS text) IS NULL OR (summary.created_at, summary.id) > (CAST(:after_at AS timestamptz), :after_id))
ORDER BY summary.created_at, summary.id LIMIT :row_limit

-- name: hold
-- A summary, held until the transaction ends, with all that a move of it asks for.
SELECT summary.id, summary.organization_id, summary.coach_id, summary.player_id, summary.state, summary.category,
    summary.confidence, summary.evidence, summary.rehearsal, summary.revocable_until, summary.text,
    summary.original_text, summary.acknowledged_at
FROM summary WHERE summary.id = :summary_id FOR UPDATE

-- name: move
-- A summary is in another state, or in the same with what else an event leaves on it.
UPDATE summary SET state = :state, text = :text, original_text = :original_text, acknowledged_at = :acknowledged_at,
    suppression_reason = coalesce(:suppression_reason, suppression_reason)
WHERE id = :summary_id
