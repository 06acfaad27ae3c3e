-- The organisation that the issuer last stated for a person: whether they are still on a list of the configuration is asked again
-- when the lists change.

ALTER TABLE base_users ADD COLUMN hd TEXT;
