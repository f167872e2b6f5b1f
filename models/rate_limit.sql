-- name: known
-- The limits of a model, to plan with.
SELECT kind, per_minute FROM rate_limit WHERE account = :account AND model = :model

-- name: open
-- Note a limit that the API has told; a bucket that is new is full.
INSERT INTO rate_limit (account, model, kind, per_minute, level, level_at)
VALUES (:account, :model, :kind, :per_minute, :level, :level_at)
ON CONFLICT (account, model, kind) DO UPDATE SET per_minute = excluded.per_minute
WHERE rate_limit.per_minute <> excluded.per_minute

-- name: hold
-- The buckets of a model, held until the end of the transaction.
SELECT kind, per_minute, level, level_at, blocked_until FROM rate_limit
WHERE account = :account AND model = :model ORDER BY kind FOR UPDATE

-- name: draw
-- Write back what is left of one.
UPDATE rate_limit SET level = :level, level_at = :level_at
WHERE account = :account AND model = :model AND kind = :kind

-- name: block
-- The API wants nobody to send before then.
UPDATE rate_limit SET blocked_until = greatest(blocked_until, CAST(:until AS timestamptz))
WHERE account = :account AND model = :model
