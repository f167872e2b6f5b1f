-- name: add
-- Note what has happened to a summary.
INSERT INTO summary_event (summary_id, at, actor, event, from_state, to_state, feedback, override, ticks)
VALUES (:summary_id, :at, :actor, :event, :from_state, :to_state, :feedback, :override, CAST(:ticks AS text[]))

-- name: of_summary
-- All that happened to a summary, in order.
SELECT at, actor, event, from_state AS "from", to_state AS "to", feedback, override, ticks
FROM summary_event WHERE summary_id = :summary_id ORDER BY id
