-- name: by_either_id
-- The coach whom one of the auth system's ids belongs to; should two match, the one whose key it is comes first.
SELECT user_id, auth_id FROM coach WHERE id = :person OR auth_id = :person OR user_id = :person
ORDER BY id = :person DESC LIMIT 1
