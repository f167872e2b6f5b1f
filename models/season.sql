-- name: lock
-- One load at a time: the next one waits until this one has ended.
SELECT pg_advisory_xact_lock(:key)

-- name: wait_briefly
-- Give up on a row that a run holds before the server would call it a deadlock (1 s) and end the run.
SET LOCAL lock_timeout = '500ms'

-- name: stage_organizations
-- Lines as they were read; `verdict` is null while a line may still be loaded, then says what became of it.
CREATE TEMPORARY TABLE season_organizations ON COMMIT DROP AS
SELECT CAST(0 AS bigint) AS line, CAST('' AS text) AS verdict, CAST('' AS bytea) AS raw,
    id, name, timezone
FROM organization WITH NO DATA

-- name: stage_coaches
-- `id` is the key of the person, `auth_id` what the file calls id.
CREATE TEMPORARY TABLE season_coaches ON COMMIT DROP AS
SELECT CAST(0 AS bigint) AS line, CAST('' AS text) AS verdict, CAST('' AS bytea) AS raw,
    auth_id, user_id, organization_id, name, tone, summaries_enabled, skip_sensitive, approvals,
    suppressions, preferred_level, id
FROM coach WITH NO DATA

-- name: stage_players
-- Players as they were read.
CREATE TEMPORARY TABLE season_players ON COMMIT DROP AS
SELECT CAST(0 AS bigint) AS line, CAST('' AS text) AS verdict, CAST('' AS bytea) AS raw,
    id, organization_id, first_name, last_name, date_of_birth, age_group, sport, team, position
FROM player WITH NO DATA

-- name: stage_guardians
-- Guardians as they were read.
CREATE TEMPORARY TABLE season_guardians ON COMMIT DROP AS
SELECT CAST(0 AS bigint) AS line, CAST('' AS text) AS verdict, CAST('' AS bytea) AS raw,
    id, player_id, name, email, status, consented, parental_responsibility
FROM guardian WITH NO DATA

-- name: stage_insights
-- Insights as they were read; `coach_id` may be either of the coach's two ids.
CREATE TEMPORARY TABLE season_insights ON COMMIT DROP AS
SELECT CAST(0 AS bigint) AS line, CAST('' AS text) AS verdict, CAST('' AS bytea) AS raw,
    id, organization_id, coach_id, player_id, voice_note_id, title, description, category, sport, urgent,
    created_at
FROM insight WITH NO DATA

-- name: describe
-- Tell the planner what was staged; without it, it plans for empty tables.
ANALYZE season_organizations, season_coaches, season_players, season_guardians, season_insights

-- name: resolve_coaches
-- Insights name their coach by the key from here on, whichever of the two ids the file has.
UPDATE season_insights AS season SET coach_id = coach.id
FROM coach
WHERE season.verdict IS NULL AND coach.auth_id = season.coach_id AND coach.id <> coach.auth_id

-- name: judge_insight_references
-- Club, coach and player are there, and coach and player belong to the club.
UPDATE season_insights AS season SET verdict = CASE
    WHEN organization.id IS NULL OR coach.id IS NULL OR player.id IS NULL THEN 'unknown_reference'
    ELSE 'other_organization' END
FROM season_insights AS named
LEFT JOIN organization ON organization.id = named.organization_id
LEFT JOIN coach ON coach.id = named.coach_id
LEFT JOIN player ON player.id = named.player_id
WHERE named.line = season.line AND season.verdict IS NULL
  AND (organization.id IS NULL OR coach.id IS NULL OR player.id IS NULL
    OR coach.organization_id <> named.organization_id OR player.organization_id <> named.organization_id)

-- name: judge_insights_under_way
-- An insight that is no longer pending does not change: the line says the same, or is a duplicate.
UPDATE season_insights AS season SET verdict = CASE
    WHEN (season.organization_id, season.coach_id, season.player_id, season.voice_note_id, season.title,
        season.description, season.category, season.sport, season.urgent, season.created_at)
      IS DISTINCT FROM (insight.organization_id, insight.coach_id, insight.player_id, insight.voice_note_id,
        insight.title, insight.description, insight.category, insight.sport, insight.urgent,
        insight.created_at)
    THEN 'duplicate_id' ELSE 'unchanged' END
FROM insight
WHERE season.verdict IS NULL AND insight.id = season.id AND insight.state <> 'pending'

-- name: judge_insight_repeats
-- The first line with an id counts; a later one says the same, or is a duplicate.
UPDATE season_insights AS later SET verdict = CASE
    WHEN to_jsonb(later) - CAST('{line,raw}' AS text[]) = to_jsonb(earlier) - CAST('{line,raw}' AS text[])
    THEN 'unchanged' ELSE 'duplicate_id' END
FROM season_insights AS earlier
JOIN (SELECT min(line) AS line FROM season_insights WHERE verdict IS NULL
    GROUP BY id HAVING count(*) > 1) AS opening ON opening.line = earlier.line
WHERE later.id = earlier.id AND later.line > earlier.line AND later.verdict IS NULL

-- name: update_insights
-- Other content replaces what is stored and pending; whoever is just claiming an insight comes first.
WITH held AS (
    SELECT insight.id FROM insight JOIN season_insights AS season ON season.id = insight.id
    WHERE season.verdict IS NULL AND insight.state = 'pending'
      AND (season.organization_id, season.coach_id, season.player_id, season.voice_note_id, season.title,
          season.description, season.category, season.sport, season.urgent, season.created_at)
        IS DISTINCT FROM (insight.organization_id, insight.coach_id, insight.player_id,
          insight.voice_note_id, insight.title, insight.description, insight.category, insight.sport,
          insight.urgent, insight.created_at)
    FOR NO KEY UPDATE OF insight SKIP LOCKED
), changed AS (
    UPDATE insight SET organization_id = season.organization_id, coach_id = season.coach_id,
        player_id = season.player_id, voice_note_id = season.voice_note_id, title = season.title,
        description = season.description, category = season.category, sport = season.sport,
        urgent = season.urgent, created_at = season.created_at
    FROM held JOIN season_insights AS season ON season.id = held.id
    WHERE insight.id = held.id AND season.verdict IS NULL
    RETURNING insight.id
)
UPDATE season_insights AS season SET verdict = 'updated'
FROM changed WHERE changed.id = season.id AND season.verdict IS NULL

-- name: judge_insights_just_claimed
-- What a run has claimed since this load looked at it stays as it is.
UPDATE season_insights AS season SET verdict = 'duplicate_id'
FROM insight
WHERE season.verdict IS NULL AND insight.id = season.id
  AND (season.organization_id, season.coach_id, season.player_id, season.voice_note_id, season.title,
      season.description, season.category, season.sport, season.urgent, season.created_at)
    IS DISTINCT FROM (insight.organization_id, insight.coach_id, insight.player_id, insight.voice_note_id,
      insight.title, insight.description, insight.category, insight.sport, insight.urgent,
      insight.created_at)

-- name: insert_insights
-- What is not stored yet waits for a run.
WITH added AS (
    INSERT INTO insight (id, organization_id, coach_id, player_id, voice_note_id, title, description, category,
        sport, urgent, created_at, state)
    SELECT id, organization_id, coach_id, player_id, voice_note_id, title, description, category,
        sport, urgent, created_at, 'pending'
    FROM season_insights AS season
    WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM insight WHERE insight.id = season.id)
    RETURNING id
)
UPDATE season_insights AS season SET verdict = 'inserted'
FROM added WHERE added.id = season.id AND season.verdict IS NULL

-- name: count_verdicts
-- What became of the lines of each file; without a verdict a line says what is stored already.
SELECT kind, coalesce(verdict, 'unchanged') AS verdict, count(*) AS lines FROM (
    SELECT 'organizations' AS kind, verdict FROM season_organizations
    UNION ALL SELECT 'coaches', verdict FROM season_coaches
    UNION ALL SELECT 'players', verdict FROM season_players
    UNION ALL SELECT 'guardians', verdict FROM season_guardians
    UNION ALL SELECT 'insights', verdict FROM season_insights
) AS every
GROUP BY 1, 2 ORDER BY 1, 2

-- name: rejects
-- Every line that was turned away, in the order of files and lines.
SELECT kind, line, verdict AS reason, raw FROM (
    SELECT 1 AS place, 'organizations' AS kind, line, verdict, raw FROM season_organizations
    UNION ALL SELECT 2, 'coaches', line, verdict, raw FROM season_coaches
    UNION ALL SELECT 3, 'players', line, verdict, raw FROM season_players
    UNION ALL SELECT 4, 'guardians', line, verdict, raw FROM season_guardians
    UNION ALL SELECT 5, 'insights', line, verdict, raw FROM season_insights
) AS every
WHERE verdict NOT IN ('inserted', 'updated', 'unchanged')
ORDER BY place, line
