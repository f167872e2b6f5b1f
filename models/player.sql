-- name: people
-- Everybody whom a note of these organizations may name: a coach and a guardian have one name, which is all they have.
SELECT organization_id, first_name, last_name FROM player
WHERE organization_id = ANY(CAST(:organization_ids AS text[]))
UNION ALL
SELECT organization_id, split_part(name, ' ', 1), nullif(substr(name, strpos(name, ' ') + 1), name) FROM coach
WHERE organization_id = ANY(CAST(:organization_ids AS text[]))
UNION ALL
SELECT player.organization_id, split_part(guardian.name, ' ', 1),
    nullif(substr(guardian.name, strpos(guardian.name, ' ') + 1), guardian.name)
FROM guardian JOIN player ON player.id = guardian.player_id
WHERE player.organization_id = ANY(CAST(:organization_ids AS text[])) AND guardian.name IS NOT NULL
