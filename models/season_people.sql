-- name: judge_organization_repeats
-- The first line with an id counts; a later one says the same, or is a duplicate.
UPDATE season_organizations AS later SET verdict = CASE
    WHEN to_jsonb(later) - CAST('{line,raw}' AS text[]) = to_jsonb(earlier) - CAST('{line,raw}' AS text[])
    THEN 'unchanged' ELSE 'duplicate_id' END
FROM season_organizations AS earlier
JOIN (SELECT min(line) AS line FROM season_organizations WHERE verdict IS NULL
    GROUP BY id HAVING count(*) > 1) AS opening ON opening.line = earlier.line
WHERE later.id = earlier.id AND later.line > earlier.line AND later.verdict IS NULL

-- name: update_organizations
-- Other content than what is stored replaces it.
WITH changed AS (
    UPDATE organization SET name = season.name, timezone = season.timezone
    FROM season_organizations AS season
    WHERE season.verdict IS NULL AND season.id = organization.id
      AND (season.name, season.timezone) IS DISTINCT FROM (organization.name, organization.timezone)
    RETURNING organization.id
)
UPDATE season_organizations AS season SET verdict = 'updated'
FROM changed WHERE changed.id = season.id AND season.verdict IS NULL

-- name: insert_organizations
-- What is not stored yet.
WITH added AS (
    INSERT INTO organization (id, name, timezone)
    SELECT id, name, timezone FROM season_organizations AS season
    WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM organization WHERE organization.id = season.id)
    RETURNING id
)
UPDATE season_organizations AS season SET verdict = 'inserted'
FROM added WHERE added.id = season.id AND season.verdict IS NULL

-- name: judge_coach_references
-- A coach belongs to a club that is there.
UPDATE season_coaches AS season SET verdict = 'unknown_reference'
WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM organization WHERE organization.id = season.organization_id)

-- name: judge_coach_moves
-- A coach with insights stays at the club of these insights.
UPDATE season_coaches AS season SET verdict = 'other_organization'
FROM coach
WHERE season.verdict IS NULL AND coach.auth_id = season.auth_id
  AND coach.organization_id <> season.organization_id
  AND coach.id IN (SELECT coach_id FROM insight)

-- name: judge_coach_names
-- Each of the two ids of a coach names nobody else, neither in an earlier line nor in the store.
WITH named AS (
    SELECT line, auth_id, auth_id AS name FROM season_coaches WHERE verdict IS NULL
    UNION
    SELECT line, auth_id, id FROM season_coaches WHERE verdict IS NULL
), taken AS (
    SELECT line, auth_id, name FROM named
    UNION ALL
    SELECT 0, auth_id, auth_id FROM coach
    UNION ALL
    SELECT 0, auth_id, id FROM coach
)
UPDATE season_coaches SET verdict = 'duplicate_id'
WHERE line IN (
    SELECT named.line FROM named JOIN taken ON taken.name = named.name
    WHERE taken.auth_id <> named.auth_id AND taken.line < named.line
)

-- name: judge_coach_repeats
-- The first line with an id counts; a later one says the same, or is a duplicate.
UPDATE season_coaches AS later SET verdict = CASE
    WHEN to_jsonb(later) - CAST('{line,raw}' AS text[]) = to_jsonb(earlier) - CAST('{line,raw}' AS text[])
    THEN 'unchanged' ELSE 'duplicate_id' END
FROM season_coaches AS earlier
JOIN (SELECT min(line) AS line FROM season_coaches WHERE verdict IS NULL
    GROUP BY auth_id HAVING count(*) > 1) AS opening ON opening.line = earlier.line
WHERE later.auth_id = earlier.auth_id AND later.line > earlier.line AND later.verdict IS NULL

-- name: hold_insights_of_moving_coaches
-- Lock insights before their coach, as whoever stores a summary does; so the two cannot deadlock.
SELECT count(*) FROM (
    SELECT insight.id FROM season_coaches AS season
    JOIN coach ON coach.auth_id = season.auth_id AND coach.id <> season.id
    JOIN insight ON insight.coach_id = coach.id
    WHERE season.verdict IS NULL
    ORDER BY insight.id FOR UPDATE OF insight
) AS held

-- name: move_ledger
-- Ledger rows carry no foreign key: they follow a coach whose key changes here.
UPDATE ai_usage_log SET coach_id = season.id
FROM season_coaches AS season JOIN coach ON coach.auth_id = season.auth_id AND coach.id <> season.id
WHERE season.verdict IS NULL AND ai_usage_log.coach_id = coach.id

-- name: update_coaches
-- Other content replaces what is stored; a new key takes insights and summaries along (ON UPDATE CASCADE).
WITH changed AS (
    UPDATE coach SET id = season.id, user_id = season.user_id, organization_id = season.organization_id,
        name = season.name, tone = season.tone, summaries_enabled = season.summaries_enabled,
        skip_sensitive = season.skip_sensitive, approvals = season.approvals,
        suppressions = season.suppressions, preferred_level = season.preferred_level
    FROM season_coaches AS season
    WHERE season.verdict IS NULL AND season.auth_id = coach.auth_id
      AND (season.id, season.user_id, season.organization_id, season.name, season.tone,
          season.summaries_enabled, season.skip_sensitive, season.approvals, season.suppressions,
          season.preferred_level)
        IS DISTINCT FROM (coach.id, coach.user_id, coach.organization_id, coach.name, coach.tone,
          coach.summaries_enabled, coach.skip_sensitive, coach.approvals, coach.suppressions,
          coach.preferred_level)
    RETURNING coach.auth_id
)
UPDATE season_coaches AS season SET verdict = 'updated'
FROM changed WHERE changed.auth_id = season.auth_id AND season.verdict IS NULL

-- name: insert_coaches
-- What is not stored yet.
WITH added AS (
    INSERT INTO coach (id, auth_id, user_id, organization_id, name, tone, summaries_enabled, skip_sensitive,
        approvals, suppressions, preferred_level)
    SELECT id, auth_id, user_id, organization_id, name, tone, summaries_enabled, skip_sensitive,
        approvals, suppressions, preferred_level
    FROM season_coaches AS season
    WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM coach WHERE coach.auth_id = season.auth_id)
    RETURNING auth_id
)
UPDATE season_coaches AS season SET verdict = 'inserted'
FROM added WHERE added.auth_id = season.auth_id AND season.verdict IS NULL

-- name: judge_player_references
-- A player belongs to a club that is there.
UPDATE season_players AS season SET verdict = 'unknown_reference'
WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM organization WHERE organization.id = season.organization_id)

-- name: judge_player_moves
-- A player with insights stays at the club of these insights.
UPDATE season_players AS season SET verdict = 'other_organization'
FROM player
WHERE season.verdict IS NULL AND player.id = season.id
  AND player.organization_id <> season.organization_id
  AND player.id IN (SELECT player_id FROM insight)

-- name: judge_player_repeats
-- The first line with an id counts; a later one says the same, or is a duplicate.
UPDATE season_players AS later SET verdict = CASE
    WHEN to_jsonb(later) - CAST('{line,raw}' AS text[]) = to_jsonb(earlier) - CAST('{line,raw}' AS text[])
    THEN 'unchanged' ELSE 'duplicate_id' END
FROM season_players AS earlier
JOIN (SELECT min(line) AS line FROM season_players WHERE verdict IS NULL
    GROUP BY id HAVING count(*) > 1) AS opening ON opening.line = earlier.line
WHERE later.id = earlier.id AND later.line > earlier.line AND later.verdict IS NULL

-- name: update_players
-- Other content than what is stored replaces it.
WITH changed AS (
    UPDATE player SET organization_id = season.organization_id, first_name = season.first_name,
        last_name = season.last_name, date_of_birth = season.date_of_birth, age_group = season.age_group,
        sport = season.sport, team = season.team, position = season.position
    FROM season_players AS season
    WHERE season.verdict IS NULL AND season.id = player.id
      AND (season.organization_id, season.first_name, season.last_name, season.date_of_birth,
          season.age_group, season.sport, season.team, season.position)
        IS DISTINCT FROM (player.organization_id, player.first_name, player.last_name, player.date_of_birth,
          player.age_group, player.sport, player.team, player.position)
    RETURNING player.id
)
UPDATE season_players AS season SET verdict = 'updated'
FROM changed WHERE changed.id = season.id AND season.verdict IS NULL

-- name: insert_players
-- What is not stored yet.
WITH added AS (
    INSERT INTO player (id, organization_id, first_name, last_name, date_of_birth, age_group, sport, team,
        position)
    SELECT id, organization_id, first_name, last_name, date_of_birth, age_group, sport, team, position
    FROM season_players AS season
    WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM player WHERE player.id = season.id)
    RETURNING id
)
UPDATE season_players AS season SET verdict = 'inserted'
FROM added WHERE added.id = season.id AND season.verdict IS NULL

-- name: judge_guardian_references
-- A guardian belongs to a player who is there.
UPDATE season_guardians AS season SET verdict = 'unknown_reference'
WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM player WHERE player.id = season.player_id)

-- name: judge_guardian_repeats
-- The first line with an id counts; a later one says the same, or is a duplicate.
UPDATE season_guardians AS later SET verdict = CASE
    WHEN to_jsonb(later) - CAST('{line,raw}' AS text[]) = to_jsonb(earlier) - CAST('{line,raw}' AS text[])
    THEN 'unchanged' ELSE 'duplicate_id' END
FROM season_guardians AS earlier
JOIN (SELECT min(line) AS line FROM season_guardians WHERE verdict IS NULL
    GROUP BY id HAVING count(*) > 1) AS opening ON opening.line = earlier.line
WHERE later.id = earlier.id AND later.line > earlier.line AND later.verdict IS NULL

-- name: update_guardians
-- Other content than what is stored replaces it.
WITH changed AS (
    UPDATE guardian SET player_id = season.player_id, name = season.name, email = season.email,
        status = season.status, consented = season.consented,
        parental_responsibility = season.parental_responsibility
    FROM season_guardians AS season
    WHERE season.verdict IS NULL AND season.id = guardian.id
      AND (season.player_id, season.name, season.email, season.status, season.consented,
          season.parental_responsibility)
        IS DISTINCT FROM (guardian.player_id, guardian.name, guardian.email, guardian.status,
          guardian.consented, guardian.parental_responsibility)
    RETURNING guardian.id
)
UPDATE season_guardians AS season SET verdict = 'updated'
FROM changed WHERE changed.id = season.id AND season.verdict IS NULL

-- name: insert_guardians
-- What is not stored yet.
WITH added AS (
    INSERT INTO guardian (id, player_id, name, email, status, consented, parental_responsibility)
    SELECT id, player_id, name, email, status, consented, parental_responsibility
    FROM season_guardians AS season
    WHERE verdict IS NULL AND NOT EXISTS (SELECT FROM guardian WHERE guardian.id = season.id)
    RETURNING id
)
UPDATE season_guardians AS season SET verdict = 'inserted'
FROM added WHERE added.id = season.id AND season.verdict IS NULL
