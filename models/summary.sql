-- name: store
-- Store a summary unless the insight already has a live one of this prompt version. The people are taken from
-- the insight, whose coach's key may have moved since it was claimed.
INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version, model,
    tone, category, model_category, category_confidence, confidence, reason, flags, text, state, rehearsal,
    created_at)
SELECT :id, insight.id, insight.organization_id, insight.coach_id, insight.player_id, :attempt_id,
    :prompt_version, :model, :tone, :category, :model_category, :category_confidence, :confidence, :reason,
    CAST(:flags AS text[]), :text, :state, :rehearsal, :created_at
FROM insight WHERE insight.id = :insight_id
ON CONFLICT (insight_id, prompt_version) WHERE state <> 'suppressed' DO NOTHING

-- name: store_many
-- Store many summaries at once, each as `store` does.
INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version, model,
    tone, category, model_category, category_confidence, confidence, reason, flags, text, state, rehearsal,
    created_at)
SELECT made.id, insight.id, insight.organization_id, insight.coach_id, insight.player_id, made.attempt_id,
    made.prompt_version, made.model, made.tone, made.category, made.model_category, made.category_confidence,
    made.confidence, made.reason, made.flags, made.text, made.state, made.rehearsal, made.created_at
FROM jsonb_to_recordset(CAST(:summaries AS jsonb)) AS made (id text, insight_id text, attempt_id text,
    prompt_version text, model text, tone text, category text, model_category text, category_confidence numeric,
    confidence numeric, reason text, flags text[], text text, state text, rehearsal boolean, created_at timestamptz)
JOIN insight ON insight.id = made.insight_id
ON CONFLICT (insight_id, prompt_version) WHERE state <> 'suppressed' DO NOTHING

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
    summary.model, summary.prompt_version, summary.rehearsal, summary.created_at, insight.title,
    insight.description, summary.text
FROM summary JOIN insight ON insight.id = summary.insight_id
WHERE summary.id = :id

-- name: beside_notes
-- Summaries beside the notes they were made from, one of each tone first.
SELECT DISTINCT ON (summary.tone) summary.tone, summary.category, insight.title, insight.description, summary.text
FROM summary JOIN insight ON insight.id = summary.insight_id
ORDER BY summary.tone, summary.category <> 'normal', summary.insight_id
LIMIT :row_limit
