-- Why a sandbox is locked, in words for its owner; NULL where it is not.

ALTER TABLE base_sandboxes ADD COLUMN locked TEXT;
