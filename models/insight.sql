-- fragment: clubs
-- What each club says of its lane: `:clubs` is a list of organization_id, lane and live_before, without the clubs where
-- generation is switched off.
jsonb_to_recordset(CAST(:clubs AS jsonb)) AS club (organization_id text, lane text, live_before timestamptz)

-- fragment: in_lane
-- Whether an insight is this lane's: its club's, of `auto` live when it is urgent or has waited for too long, and live
-- whatever the club says once a batch has missed the time at which it was due.
CASE WHEN insight.missed_due OR club.lane = 'live'
        OR club.lane = 'auto' AND (insight.urgent OR insight.created_at <= club.live_before)
    THEN 'live' ELSE 'overnight' END = :lane

-- fragment: due_insights
insight JOIN player ON player.id = insight.player_id JOIN coach ON coach.id = insight.coach_id
    JOIN {clubs} ON club.organization_id = insight.organization_id

-- fragment: is_due
-- What a run may take. (The condition on the state is written twice so that the partial index on claimable insights
-- is seen to fit.)
(insight.state = 'pending' OR insight.state = 'deferred' AND insight.not_before <= :now)
    AND insight.state IN ('pending', 'deferred')
    AND (CAST(:organization_id AS text) IS NULL OR insight.organization_id = :organization_id)
    AND (CAST(:player_ids AS text[]) IS NULL OR insight.player_id = ANY(CAST(:player_ids AS text[])))
    AND coach.summaries_enabled
    AND NOT (coach.skip_sensitive AND coalesce(insight.category = ANY(CAST(:sensitive_words AS text[])), false))
    AND {in_lane}

-- fragment: of_group
coalesce(insight.sport, player.sport) = :sport AND coach.tone = :tone

-- name: switch_back
-- Skipped insights whose switch has changed back wait for a run again.
UPDATE insight SET state = 'pending', state_reason = NULL
WHERE id IN (
    SELECT insight.id FROM insight JOIN coach ON coach.id = insight.coach_id
    WHERE insight.state = 'skipped'
      AND ((insight.state_reason = 'summaries_off' AND coach.summaries_enabled)
        OR (insight.state_reason = 'sensitive' AND NOT coach.skip_sensitive))
      AND (CAST(:organization_id AS text) IS NULL OR insight.organization_id = :organization_id)
    FOR UPDATE OF insight SKIP LOCKED
)

-- name: switch_off
-- Insights that may run, but whose coach's switch says not to, are skipped and keep the reason.
WITH off AS (
    SELECT insight.id, CASE WHEN coach.summaries_enabled THEN 'sensitive' ELSE 'summaries_off' END AS reason
    FROM insight JOIN coach ON coach.id = insight.coach_id
    WHERE insight.state IN ('pending', 'deferred')
      AND (NOT coach.summaries_enabled
        OR (coach.skip_sensitive AND insight.category = ANY(CAST(:sensitive_words AS text[]))))
      AND (CAST(:organization_id AS text) IS NULL OR insight.organization_id = :organization_id)
    FOR UPDATE OF insight SKIP LOCKED
), skipped AS (
    UPDATE insight SET state = 'skipped', state_reason = off.reason, not_before = NULL
    FROM off WHERE off.id = insight.id
    RETURNING insight.state_reason
)
SELECT state_reason, count(*) AS insights FROM skipped GROUP BY state_reason

-- name: generation_off
-- Where generation is switched off what waits is deferred with that cause; it is due as soon as it is switched on.
UPDATE insight SET state = 'deferred', state_reason = 'generation_off', not_before = :now
WHERE id IN (
    SELECT insight.id FROM insight
    WHERE insight.state = 'pending' AND EXISTS (
        SELECT FROM setting WHERE name = 'generation' AND value <> 'on'
          AND (setting.organization_id IS NULL OR setting.organization_id = insight.organization_id))
      AND (CAST(:organization_id AS text) IS NULL OR insight.organization_id = :organization_id)
    FOR UPDATE OF insight SKIP LOCKED
)

-- name: release_ended
-- Claims whose lease has ended go back to pending; their attempts in flight are lost. Gives how many of both.
WITH ended AS (
    UPDATE insight SET state = 'pending', claimed_by = NULL, lease_until = NULL
    WHERE id IN (SELECT id FROM insight WHERE state = 'claimed' AND lease_until <= :now FOR UPDATE SKIP LOCKED)
    RETURNING id
), lost AS (
    UPDATE ai_usage_log SET outcome = 'lost', outcome_reason = 'lease_ended', recorded_at = :now
    WHERE outcome = 'sent' AND batch_id IS NULL
      AND attempt_id IN (SELECT attempt_id FROM ai_usage_insight JOIN ended ON ended.id = insight_id)
    RETURNING attempt_id
)
SELECT (SELECT count(*) FROM ended) AS insights, (SELECT count(*) FROM lost) AS attempts

-- name: longest_waiting
-- The players whose insights make up a limit, those who have waited longest first; the last one may have more.
SELECT player_id FROM (
    SELECT player_id, sum(due) OVER (ORDER BY since, player_id) - due AS before
    FROM (
        SELECT insight.player_id, min(insight.created_at) AS since, count(*) AS due
        FROM {due_insights}
        WHERE {is_due}
        GROUP BY insight.player_id
    ) AS waiting
) AS counted
WHERE before < :insight_limit

-- name: survey
-- What is due: how many players, of one coach each, have so many insights in a sport and tone,
-- without what a switch of theirs says not to summarise.
SELECT sport, tone, due AS size, count(*) AS players
FROM (
    SELECT coalesce(insight.sport, player.sport) AS sport, coach.tone, count(*) AS due
    FROM {due_insights}
    WHERE {is_due}
    GROUP BY 1, 2, insight.player_id, insight.coach_id
) AS packs
GROUP BY sport, tone, due ORDER BY sport, tone, due

-- name: arrivals
-- How many insights have come in since a moment, by sport and tone: what may be expected of the next hours.
SELECT coalesce(insight.sport, player.sport) AS sport, coach.tone, count(*) AS insights
FROM {due_insights}
WHERE insight.created_at > :since AND insight.created_at <= :now
  AND (CAST(:organization_id AS text) IS NULL OR insight.organization_id = :organization_id)
  AND {in_lane}
GROUP BY 1, 2

-- name: one_at_a_time
-- Let no other worker claim before this transaction ends: between the two steps of a page it would take the rest of
-- a pack.
SELECT pg_advisory_xact_lock(:lock)

-- name: claim
-- Lease what is due in one sport and tone, player by player, the player who has waited longest first.
WITH chosen AS (
    SELECT insight.id
    FROM {due_insights}
    WHERE {is_due} AND {of_group}
    ORDER BY (SELECT min(peer.created_at) FROM insight AS peer
        WHERE peer.player_id = insight.player_id AND peer.state IN ('pending', 'deferred')),
        insight.player_id, insight.coach_id, insight.created_at, insight.id
    LIMIT :insight_limit
    FOR UPDATE OF insight SKIP LOCKED
)
UPDATE insight SET state = 'claimed', state_reason = NULL, not_before = NULL,
    claimed_by = :holder, lease_until = :lease_until
FROM chosen WHERE chosen.id = insight.id
RETURNING insight.id, insight.player_id, insight.coach_id

-- name: claim_rest
-- Lease what else is due of the players of a page in its sport and tone, so that nobody's pack is cut in two.
WITH chosen AS (
    SELECT insight.id FROM {due_insights}
    WHERE {is_due} AND {of_group}
      AND insight.player_id = ANY(CAST(:page_player_ids AS text[]))
      AND insight.coach_id = ANY(CAST(:page_coach_ids AS text[]))
    ORDER BY insight.player_id, insight.created_at, insight.id
    LIMIT :insight_limit
    FOR UPDATE OF insight SKIP LOCKED
)
UPDATE insight SET state = 'claimed', state_reason = NULL, not_before = NULL,
    claimed_by = :holder, lease_until = :lease_until
FROM chosen WHERE chosen.id = insight.id
RETURNING insight.id

-- name: due
-- What a claim would take of one sport and tone, in its order: to plan with, nothing is leased.
SELECT insight.id, insight.player_id
FROM {due_insights}
WHERE {is_due} AND {of_group}
ORDER BY (SELECT min(peer.created_at) FROM insight AS peer
    WHERE peer.player_id = insight.player_id AND peer.state IN ('pending', 'deferred')),
    insight.player_id, insight.coach_id, insight.created_at, insight.id
LIMIT :insight_limit

-- name: player_waiting
-- The player who has waited longest of those of one coach with so many insights due in a sport and tone.
SELECT insight.player_id
FROM {due_insights}
WHERE {is_due} AND {of_group} AND insight.unusable_answers = 0
  AND NOT insight.player_id = ANY(CAST(:but_player_ids AS text[]))
GROUP BY insight.player_id, insight.coach_id
HAVING count(*) BETWEEN :due_min AND :due_max
ORDER BY min(insight.created_at), insight.player_id LIMIT 1

-- name: give_back_some
-- Let go of some of what a run holds, as if it had never been claimed.
UPDATE insight SET state = 'pending', claimed_by = NULL, lease_until = NULL
WHERE id = ANY(CAST(:insight_ids AS text[])) AND state = 'claimed' AND claimed_by = :holder

-- name: put_in_batch
-- From now on a batch owns these, and no lease; gives those that were still ours, with the coach's key as it is now.
UPDATE insight SET state = 'in_batch', claimed_by = NULL, lease_until = NULL
WHERE id = ANY(CAST(:insight_ids AS text[])) AND state = 'claimed' AND claimed_by = :holder
RETURNING id, coach_id

-- name: take_out_of_batch
-- A batch is done with these, in whatever way; each goes on in the state that it is given.
UPDATE insight SET state = after.state, state_reason = after.state_reason, not_before = after.not_before,
    missed_due = insight.missed_due OR after.missed_due,
    unusable_answers = insight.unusable_answers + after.unusable_answers
FROM jsonb_to_recordset(CAST(:conclusions AS jsonb)) AS after (insight_id text, state text, state_reason text,
    not_before timestamptz, missed_due boolean, unusable_answers int)
WHERE insight.id = after.insight_id AND insight.state = 'in_batch'
RETURNING insight.id

-- name: for_prompt
-- All that the prompts of these insights need. With what the player's parents were sent before by the same club,
-- newest first: only what was approved, of the run's own kind (a rehearsal's words never reach a live prompt),
-- and not what was made of the insight itself.
SELECT insight.id, insight.organization_id, insight.coach_id, insight.player_id, insight.title,
    insight.description, insight.category, insight.created_at, coalesce(insight.sport, player.sport) AS sport,
    player.sport AS player_sport, coach.tone, coach.skip_sensitive, player.first_name, player.last_name,
    player.age_group, player.date_of_birth, player.team, player.position, insight.unusable_answers,
    ARRAY(
        SELECT summary.text FROM summary
        WHERE summary.player_id = insight.player_id AND summary.organization_id = insight.organization_id
          AND summary.state IN ('approved', 'delivered', 'viewed') AND summary.rehearsal = :rehearsal
          AND summary.insight_id <> insight.id
        ORDER BY summary.created_at DESC, summary.id DESC LIMIT :earlier_summaries_max
    ) AS earlier_summaries
FROM insight
JOIN coach ON coach.id = insight.coach_id
JOIN player ON player.id = insight.player_id
WHERE insight.id = ANY(CAST(:insight_ids AS text[]))

-- name: hold
-- Prove that claims are still ours, and hold them for as long again; gives those with the coach's key as it is now.
UPDATE insight SET lease_until = :lease_until
WHERE id = ANY(CAST(:insight_ids AS text[])) AND state = 'claimed' AND claimed_by = :holder
RETURNING id, coach_id

-- name: finish
-- End a claim that is still ours with what became of the insight.
UPDATE insight SET state = :state, state_reason = :state_reason, not_before = :not_before,
    claimed_by = NULL, lease_until = NULL
WHERE id = :insight_id AND state = 'claimed' AND claimed_by = :holder

-- name: give_back
-- End what a run still holds: back to pending, or deferred. What it had in flight is lost.
WITH given_back AS (
    UPDATE insight SET state = :state, state_reason = :state_reason, not_before = :not_before,
        claimed_by = NULL, lease_until = NULL
    WHERE state = 'claimed' AND claimed_by = :holder
    RETURNING id
), lost AS (
    UPDATE ai_usage_log SET outcome = 'lost', outcome_reason = 'run_ended', recorded_at = :now
    WHERE outcome = 'sent' AND batch_id IS NULL
      AND attempt_id IN (SELECT attempt_id FROM ai_usage_insight JOIN given_back ON given_back.id = insight_id)
)
SELECT count(*) FROM given_back

-- name: defer_due
-- What is due, and would only meet the limit or the outage that has stopped a run, waits as well.
UPDATE insight SET state = 'deferred', state_reason = :state_reason, not_before = :not_before
WHERE id IN (
    SELECT insight.id FROM {due_insights}
    WHERE {is_due}
    FOR UPDATE OF insight SKIP LOCKED
)

-- name: requeue
-- What a switch or a person's look had stopped waits for a run again.
UPDATE insight SET state = 'pending', state_reason = NULL, unusable_answers = 0
WHERE id = ANY(CAST(:insight_ids AS text[])) AND state IN ('skipped', 'parked')
RETURNING id

-- name: states_of
-- Which of the given ids exist, and in which state.
SELECT id, state FROM insight WHERE id = ANY(CAST(:insight_ids AS text[]))

-- name: count_by_state
-- How many insights are in which state.
SELECT state, count(*) AS insights FROM insight
WHERE (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
GROUP BY state ORDER BY state

-- name: need_attention
-- What waits for somebody or something: information for `touchline doctor`.
SELECT count(*) FILTER (WHERE state = 'claimed' AND lease_until <= :now) AS leases_ended,
    count(*) FILTER (WHERE state = 'parked') AS parked,
    count(*) FILTER (WHERE state = 'deferred' AND not_before <= :now) AS deferred_due,
    count(*) FILTER (WHERE state = 'deferred' AND not_before > :now) AS deferred_later
FROM insight WHERE state IN ('claimed', 'parked', 'deferred')

-- name: place
-- Where an insight stands in the order of the list.
SELECT created_at AS at, id FROM insight WHERE id = :id

-- name: list
-- Insights by id, one page after another.
SELECT id AS insight_id, organization_id, coach_id, player_id, state, state_reason, category, urgent,
    created_at, not_before
FROM insight
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
  AND (CAST(:after_id AS text) IS NULL OR id > :after_id)
ORDER BY id LIMIT :row_limit

-- name: show
-- One insight, whole.
SELECT id AS insight_id, organization_id, coach_id, player_id, voice_note_id, state, state_reason,
    claimed_by, lease_until, not_before, missed_due, category, sport, urgent, created_at, title, description
FROM insight WHERE id = :id
