-- name: counts
-- The counted texts of a model.
SELECT text_key, tokens FROM token_count WHERE model = :model AND text_key = ANY(CAST(:text_keys AS text[]))

-- name: keep
-- Keep a count; two runs that count the same text count the same.
INSERT INTO token_count (model, text_key, tokens, counted_at) VALUES (:model, :text_key, :tokens, :counted_at)
ON CONFLICT (model, text_key) DO NOTHING

-- name: ratios
-- What usage has taught of a model.
SELECT kind, tokens / units AS ratio FROM token_ratio WHERE model = :model

-- name: learn
-- Add what a run has seen; old usage fades once there is plenty.
INSERT INTO token_ratio AS known (model, kind, units, tokens) VALUES (:model, :kind, :units, :tokens)
ON CONFLICT (model, kind) DO UPDATE SET
    units = excluded.units + CASE WHEN known.units > :plenty THEN known.units / 2 ELSE known.units END,
    tokens = excluded.tokens + CASE WHEN known.units > :plenty THEN known.tokens / 2 ELSE known.tokens END
