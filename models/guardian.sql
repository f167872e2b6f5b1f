-- name: link
-- Whose guardian somebody is.
SELECT player_id, status, consented FROM guardian WHERE id = :guardian_id

-- name: readable
-- What a guardian can read: delivered summaries of the player, and nothing of the note or the decision.
SELECT summary.id AS summary_id, summary.player_id, summary.text, summary.acknowledged_at,
    (SELECT max(at) FROM summary_event WHERE summary_id = summary.id AND event = 'deliver') AS delivered_at
FROM guardian JOIN summary ON summary.player_id = guardian.player_id
WHERE guardian.id = :guardian_id AND guardian.status = 'active' AND guardian.consented
  AND summary.state IN ('delivered', 'viewed')
ORDER BY delivered_at DESC, summary.id
