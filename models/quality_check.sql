-- fragment: touched
-- The days that the run has taken.
(SELECT unnest(days) AS utc_day FROM rollup_run WHERE run_id = :run_id) AS touched

-- fragment: ledger
-- What the ledger itself adds up to, day by day.
(SELECT utc_day, sum(calls) AS calls, sum(attempts) AS attempts, sum(adjustments) AS adjustments,
    sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens, sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(output_tokens) AS output_tokens, sum(hit_rates) AS hit_rates, sum(hit_rates_sum) AS hit_rates_sum,
    sum(cost_usd) AS cost_usd
FROM staged_ledger_day WHERE run_id = :run_id GROUP BY utc_day) AS ledger

-- fragment: staged_sums
-- The same of the rollup.
(SELECT utc_day, sum(calls) AS calls, sum(attempts) AS attempts, sum(adjustments) AS adjustments,
    sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens, sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(output_tokens) AS output_tokens, sum(hit_rates) AS hit_rates, sum(hit_rates_sum) AS hit_rates_sum,
    sum(cost_usd) AS cost_usd
FROM staged GROUP BY utc_day) AS rollup

-- name: figure_missing
-- Rows without a figure. `staged` is what the run has staged of the table in question, here and below.
SELECT * FROM staged
WHERE num_nulls(calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, hit_rates, hit_rates_sum, cost_usd, saved_usd) > 0
ORDER BY utc_day

-- name: count_negative
-- Less than nothing of something.
SELECT * FROM staged
WHERE least(calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, hit_rates) < 0
ORDER BY utc_day

-- name: cost_negative
-- Only what closes a day on the vendor's report may take money back.
SELECT * FROM staged WHERE cost_usd < 0 AND coalesce(adjustments, 0) <= 0 ORDER BY utc_day, cost_usd

-- name: hit_rate_impossible
-- More read from the cache than there was input, or a sum of shares that their number does not allow.
SELECT * FROM staged
WHERE cache_read_tokens > input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
    OR hit_rates_sum < 0 OR hit_rates_sum > hit_rates
ORDER BY utc_day

-- name: organization_unknown
-- Organisations that nobody knows, nor ever has: the ledger outlives those that it names, and a day of one that is gone
-- may be opened again. Evaluations of models have a name of their own.
SELECT organization_id, count(*) AS rows, min(utc_day) AS first_utc_day, max(utc_day) AS last_utc_day
FROM staged
WHERE organization_id <> :evaluation
    AND NOT EXISTS (SELECT FROM organization WHERE organization.id = staged.organization_id)
GROUP BY organization_id
HAVING NOT EXISTS (
    SELECT FROM rollup_organization_day AS before WHERE before.organization_id = staged.organization_id
)
ORDER BY organization_id

-- name: local_day_far
-- A local day begins at most a day before or after the UTC day.
SELECT * FROM staged WHERE abs(local_day - utc_day) > 1 ORDER BY utc_day, local_day

-- name: days_differ
-- Days that only the rollup or only the ledger has; and days that the run has not taken: their old rows would stay.
SELECT utc_day, rollup.utc_day IS NOT NULL AS in_rollup, ledger.utc_day IS NOT NULL AS in_ledger,
    touched.utc_day IS NOT NULL AS taken
FROM (SELECT DISTINCT utc_day FROM staged) AS rollup
FULL JOIN (SELECT DISTINCT utc_day FROM staged_ledger_day WHERE run_id = :run_id) AS ledger USING (utc_day)
LEFT JOIN {touched} USING (utc_day)
WHERE rollup.utc_day IS NULL OR ledger.utc_day IS NULL OR touched.utc_day IS NULL
ORDER BY utc_day

-- name: days_not_taken
-- Days that the run has not taken.
SELECT utc_day, count(*) AS rows FROM staged
WHERE NOT EXISTS (SELECT FROM {touched} WHERE touched.utc_day = staged.utc_day)
GROUP BY utc_day ORDER BY utc_day

-- name: nothing_taken
-- A run that has taken no day has nothing to publish: somebody checks another one than was staged.
SELECT CAST(:run_id AS text) AS run WHERE NOT EXISTS (SELECT FROM {touched})

-- name: figures_differ
-- Every figure of every day that the rollup and the ledger do not agree on, to the last digit.
SELECT utc_day, figure.name AS figure, figure.rollup, figure.ledger, figure.rollup - figure.ledger AS difference
FROM {staged_sums} FULL JOIN {ledger} USING (utc_day)
CROSS JOIN LATERAL (VALUES
    ('calls', rollup.calls, ledger.calls),
    ('attempts', rollup.attempts, ledger.attempts),
    ('adjustments', rollup.adjustments, ledger.adjustments),
    ('input_tokens', rollup.input_tokens, ledger.input_tokens),
    ('cache_read_tokens', rollup.cache_read_tokens, ledger.cache_read_tokens),
    ('cache_write_5m_tokens', rollup.cache_write_5m_tokens, ledger.cache_write_5m_tokens),
    ('cache_write_1h_tokens', rollup.cache_write_1h_tokens, ledger.cache_write_1h_tokens),
    ('output_tokens', rollup.output_tokens, ledger.output_tokens),
    ('hit_rates', rollup.hit_rates, ledger.hit_rates),
    ('hit_rates_sum', rollup.hit_rates_sum, ledger.hit_rates_sum),
    ('cost_usd', rollup.cost_usd, ledger.cost_usd)
) AS figure (name, rollup, ledger)
WHERE figure.rollup IS DISTINCT FROM figure.ledger
ORDER BY utc_day, figure.name

-- name: ledger_shrunk
-- Days that have fewer ledger rows than when they were last published: a ledger only grows.
SELECT utc_day, published.ledger_rows AS published_rows,
    coalesce(ledger.attempts + ledger.adjustments, 0) AS ledger_rows, published.run_id AS published_by
FROM {touched} JOIN rollup_day AS published USING (utc_day) LEFT JOIN {ledger} USING (utc_day)
WHERE coalesce(ledger.attempts + ledger.adjustments, 0) < published.ledger_rows
ORDER BY utc_day

-- name: price_wrong
-- Rows that cost what the list they were priced with does not say, or that no list has a price for.
SELECT * FROM staged WHERE same_list IS NOT FALSE OR allowed_usd IS NULL ORDER BY utc_day, attempt_id

-- name: price_of_another_list
-- Rows that were priced with another version of the list, and would cost something else by this one.
SELECT * FROM staged WHERE same_list IS FALSE AND allowed_usd IS NOT NULL ORDER BY utc_day, attempt_id

-- name: volume_unusual
-- Past days with less than half, or more than twice, the attempts of the same weekday in the four weeks before; those
-- must all have been published.
SELECT utc_day, day.attempts, usual.attempts AS usual_attempts
FROM (
    SELECT utc_day, coalesce(rollup.attempts, 0) AS attempts
    FROM {touched} LEFT JOIN {staged_sums} USING (utc_day)
    WHERE utc_day < :today
) AS day
CROSS JOIN LATERAL (
    SELECT round(sum(attempts) / 4, 2) AS attempts, count(*) AS days
    FROM (
        SELECT coalesce(sum(rollup_platform_day.attempts), 0) AS attempts
        FROM rollup_day LEFT JOIN rollup_platform_day USING (utc_day)
        WHERE rollup_day.utc_day IN (day.utc_day - 7, day.utc_day - 14, day.utc_day - 21, day.utc_day - 28)
        GROUP BY utc_day
    ) AS week
) AS usual
WHERE usual.days = 4 AND day.attempts NOT BETWEEN usual.attempts / 2 AND usual.attempts * 2
ORDER BY utc_day

-- name: forget
-- A run that is started again is checked again.
DELETE FROM quality_check WHERE run_id = :run_id

-- name: keep
-- How one check has ended.
INSERT INTO quality_check
    (run_id, name, staged_table, critical, checked_at, result, failing, failing_rows, exception)
VALUES (:run_id, :name, :staged_table, :critical, :checked_at, :result, :failing,
    CAST(:failing_rows AS jsonb), :exception)
