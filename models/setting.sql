-- name: clubs
-- One club or all, each with the platform's settings and its own.
SELECT organization.id, organization.timezone,
    coalesce((SELECT jsonb_object_agg(name, value) FROM setting WHERE organization_id IS NULL), '{}') AS platform,
    coalesce(
        (SELECT jsonb_object_agg(setting.name, value) FROM setting WHERE organization_id = organization.id), '{}'
    ) AS own
FROM organization
WHERE CAST(:organization_id AS text) IS NULL OR organization.id = :organization_id
ORDER BY organization.id

-- name: in_reach
-- The platform's settings and, when one is named, an organization's.
SELECT organization_id, name, value, changed_at FROM setting
WHERE organization_id IS NULL OR organization_id = CAST(:organization_id AS text)

-- name: one_at_a_time
-- Whoever changes a setting waits for who is changing one, so that the change names what it has replaced;
-- readers wait for nobody.
LOCK TABLE setting IN SHARE ROW EXCLUSIVE MODE

-- name: own
-- The value that an organization, or the platform, has set itself.
SELECT value FROM setting
WHERE organization_id IS NOT DISTINCT FROM CAST(:organization_id AS text) AND name = :name

-- name: keep
-- Set a value.
INSERT INTO setting (organization_id, name, value, changed_at)
VALUES (:organization_id, :name, :value, :changed_at)
ON CONFLICT (organization_id, name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at

-- name: remove
-- Set none any more.
DELETE FROM setting
WHERE organization_id IS NOT DISTINCT FROM CAST(:organization_id AS text) AND name = :name

-- name: note_change
-- Every change is noted in the transaction that makes it.
INSERT INTO setting_change (changed_at, organization_id, name, old_value, new_value, changed_by)
VALUES (:changed_at, :organization_id, :name, :old_value, :new_value, :changed_by)

-- name: changes
-- What was changed, of one organization or altogether, in the order it was.
SELECT changed_at, organization_id, name, old_value AS "from", new_value AS "to", changed_by FROM setting_change
WHERE CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id
ORDER BY id

-- name: switched_off
-- For whom a kill switch does not permit: organizations, and null for everybody. Anything but "on" is off.
SELECT organization_id FROM setting WHERE name = :name AND value <> 'on'
