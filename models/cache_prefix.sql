-- name: lead
-- Become the leader of a prefix that is cold and that nobody else is writing; no row when it is not to be had.
INSERT INTO cache_prefix AS known (account, key, ttl, leader, leader_until)
VALUES (:account, :key, :ttl, :leader, :leader_until)
ON CONFLICT (account, key) DO UPDATE
SET ttl = excluded.ttl, leader = excluded.leader, leader_until = excluded.leader_until
WHERE (known.warm_until IS NULL OR known.warm_until <= :cold_before)
  AND (known.leader IS NULL OR known.leader_until <= :now)
RETURNING key

-- name: look
-- How a prefix stands.
SELECT ttl, warm_until FROM cache_prefix WHERE account = :account AND key = :key

-- name: warm
-- Which of these prefixes can be read, and how long for.
SELECT key, ttl, warm_until FROM cache_prefix
WHERE account = :account AND key = ANY(CAST(:keys AS text[])) AND warm_until > :cold_before

-- name: used
-- A request has written or read these prefixes: they live on, and who led them is done.
UPDATE cache_prefix SET warm_until = greatest(warm_until, CAST(:started_at AS timestamptz)
        + CASE ttl WHEN '1h' THEN interval '1 hour' ELSE interval '5 minutes' END),
    leader = CASE WHEN leader = :leader THEN NULL ELSE leader END,
    leader_until = CASE WHEN leader = :leader THEN NULL ELSE leader_until END
WHERE account = :account AND key = ANY(CAST(:keys AS text[]))

-- name: written
-- These prefixes have been written, or read, at that time, by a batch that nobody had to lead.
INSERT INTO cache_prefix AS known (account, key, ttl, warm_until)
SELECT CAST(:account AS text), key, CAST(:ttl AS text), CAST(:started_at AS timestamptz)
        + CASE CAST(:ttl AS text) WHEN '1h' THEN interval '1 hour' ELSE interval '5 minutes' END
FROM unnest(CAST(:keys AS text[])) AS key
ON CONFLICT (account, key) DO UPDATE
SET ttl = excluded.ttl, warm_until = greatest(known.warm_until, excluded.warm_until)

-- name: renew
-- Go on leading prefixes that nobody has taken over.
UPDATE cache_prefix SET leader_until = :leader_until
WHERE account = :account AND key = ANY(CAST(:keys AS text[])) AND leader = :leader
RETURNING key

-- name: give_up
-- Let others lead what this one has not written.
UPDATE cache_prefix SET leader = NULL, leader_until = NULL
WHERE account = :account AND key = ANY(CAST(:keys AS text[])) AND leader = :leader

-- name: forget
-- Prefixes that have long gone cold need not be remembered.
DELETE FROM cache_prefix
WHERE account = :account AND coalesce(warm_until, leader_until) < :before AND coalesce(leader_until, :before) <= :before
