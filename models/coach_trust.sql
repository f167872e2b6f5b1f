-- fragment: stands
-- What a coach stands at: the history from upstream and from here, what the coach has set, and what was learned.
coach.approvals + coalesce(coach_trust.approvals, 0) AS approvals,
    coach.suppressions + coalesce(coach_trust.suppressions, 0) AS suppressions,
    coalesce(coach_trust.preferred_level, coach.preferred_level) AS preferred_level,
    coach_trust.own_threshold, coach_trust.learned_threshold

-- name: deciding
-- What the decision about these insights' summaries looks at, besides the answers. Who decides about a summary of a
-- coach at the same time may not have counted yet: it is about the next one.
SELECT insight.id AS insight_id, coach.summaries_enabled, {stands},
    (SELECT value FROM setting WHERE organization_id IS NULL AND name = :switch) AS platform_switch,
    (SELECT value FROM setting WHERE setting.organization_id = insight.organization_id AND name = :switch)
        AS own_switch
FROM insight JOIN coach ON coach.id = insight.coach_id
    LEFT JOIN coach_trust ON coach_trust.coach_id = coach.id
WHERE insight.id = ANY(CAST(:insight_ids AS text[]))

-- name: standing
-- What a coach stands at, and what became of the summaries that level 2 would have approved.
SELECT coach.organization_id, {stands}, coach_trust.preferred_level AS set_here,
    (SELECT count(*) FROM summary WHERE summary.coach_id = coach.id AND preview = 'approve'
        AND state <> 'pending_review') AS previewed,
    (SELECT count(*) FROM summary WHERE summary.coach_id = coach.id AND preview = 'approve'
        AND state NOT IN ('pending_review', 'suppressed') AND original_text IS NULL) AS agreed
FROM coach LEFT JOIN coach_trust ON coach_trust.coach_id = coach.id
WHERE coach.id = :coach_id

-- name: count_decision
-- One more summary that a coach has approved, suppressed or revoked.
INSERT INTO coach_trust (coach_id, approvals, suppressions) VALUES (:coach_id, :approvals, :suppressions)
ON CONFLICT (coach_id) DO UPDATE SET approvals = coach_trust.approvals + excluded.approvals,
    suppressions = coach_trust.suppressions + excluded.suppressions

-- name: ensure
-- A row to change, held until the transaction ends.
INSERT INTO coach_trust (coach_id) VALUES (:coach_id)
ON CONFLICT (coach_id) DO UPDATE SET coach_id = excluded.coach_id
RETURNING preferred_level, own_threshold, learned_threshold

-- name: set_level
-- How far a coach lets trust reach; null: as the upstream app says.
UPDATE coach_trust SET preferred_level = :value WHERE coach_id = :coach_id

-- name: set_threshold
-- A coach's own threshold; null: none. What was learned stays, and counts before it.
UPDATE coach_trust SET own_threshold = :value WHERE coach_id = :coach_id

-- name: acts
-- What became of each coach's summaries in a window: the coach's decisions, and what went out by rule unrevoked.
SELECT summary.coach_id, summary.confidence, summary_event.event
FROM summary_event JOIN summary ON summary.id = summary_event.summary_id
WHERE summary_event.at > :after AND summary_event.at <= :until
  AND summary_event.event IN ('approve', 'suppress', 'revoke', 'deliver')
  AND (summary_event.event IN ('approve', 'suppress', 'revoke')
    OR summary_event.event = 'deliver' AND summary_event.from_state = 'auto_approved')
ORDER BY summary.coach_id

-- name: one_at_a_time
-- Whoever learns waits for who is learning, so that it then sees what is learned already.
LOCK TABLE threshold_week IN SHARE ROW EXCLUSIVE MODE

-- name: to_learn
-- Coaches who have not learned for a week yet, held until the transaction ends: those with a row, which whoever has
-- decided or set something has.
SELECT coach_id, own_threshold, learned_threshold FROM coach_trust
WHERE NOT EXISTS (SELECT FROM threshold_week WHERE threshold_week.coach_id = coach_trust.coach_id AND week = :week)
ORDER BY coach_id FOR UPDATE

-- name: keep_week
-- What a week has taught about a coach's threshold.
INSERT INTO threshold_week (coach_id, week, learned_at, previous, threshold, reason, decisions, low_reviewed,
    low_approved, high_reviewed, high_rejected)
VALUES (:coach_id, :week, :learned_at, :previous, :threshold, :reason, :decisions, :low_reviewed, :low_approved,
    :high_reviewed, :high_rejected)

-- name: set_learned
-- From now on this threshold counts before the coach's own; null: none is learned.
UPDATE coach_trust SET learned_threshold = :threshold WHERE coach_id = :coach_id

-- name: weeks
-- What each week has taught about a coach's threshold, the latest first.
SELECT week, previous, threshold, reason, decisions, low_reviewed, low_approved, high_reviewed, high_rejected
FROM threshold_week WHERE coach_id = :coach_id ORDER BY week DESC LIMIT :row_limit
