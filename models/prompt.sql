-- name: keep
-- Keep the texts of a version, unless they are kept already.
INSERT INTO prompt (version, sport, tone, format, instructions, sport_sheet, tone_text, answer_schema, first_used_at)
VALUES (:version, :sport, :tone, :format, :instructions, :sport_sheet, :tone_text, :answer_schema, :first_used_at)
ON CONFLICT (version) DO NOTHING

-- name: list
-- Every version that is kept or that a summary was made with (before texts were kept), and how many were.
SELECT version, prompt.sport, prompt.tone, prompt.first_used_at, coalesce(made.summaries, 0) AS summaries
FROM prompt
FULL JOIN (
    SELECT prompt_version AS version, count(*) AS summaries FROM summary GROUP BY prompt_version
) AS made USING (version)
ORDER BY prompt.first_used_at NULLS FIRST, version

-- name: beginning_with
-- The versions that begin with these digits, with all their texts.
SELECT version, sport, tone, format, instructions, sport_sheet, tone_text, answer_schema
FROM prompt WHERE starts_with(version, :digits) ORDER BY version
