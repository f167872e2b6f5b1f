-- name: store
-- Store a summary unless the insight already has a live one of this prompt version.
INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version, model,
    tone, category, model_category, category_confidence, confidence, reason, flags, text, state, rehearsal,
    created_at)
VALUES (:id, :insight_id, :organization_id, :coach_id, :player_id, :attempt_id, :prompt_version, :model,
    :tone, :category, :model_category, :category_confidence, :confidence, :reason, :flags, :text, :state,
    :rehearsal, :created_at)
ON CONFLICT (insight_id, prompt_version) WHERE state <> 'suppressed' DO NOTHING

-- name: list
-- Summaries in the order they were made, one page after another.
SELECT id AS summary_id, insight_id, player_id, coach_id, state, category, confidence, rehearsal, created_at
FROM summary
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
  AND (CAST(:after AS text) IS NULL
    OR (created_at, id) > (SELECT created_at, id FROM summary WHERE id = :after))
ORDER BY created_at, id LIMIT :row_limit

-- name: show
-- One summary, whole, as its coach may see it.
SELECT * FROM summary WHERE id = :summary_id

-- name: beside_notes
-- Summaries beside the notes they were made from, one of each tone first.
SELECT DISTINCT ON (summary.tone) summary.tone, summary.category, insight.title, insight.description, summary.text
FROM summary JOIN insight ON insight.id = summary.insight_id
ORDER BY summary.tone, summary.category <> 'normal', summary.insight_id
LIMIT :row_limit
