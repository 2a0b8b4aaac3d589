-- A plain hash of a message gives away what is masked in its payload: all telephone numbers can be tried. From now on the
-- hash is keyed. The plain hashes are overwritten, by zeros, since the key is not known here; the payload and its length
-- still identify those rows. Backups from before this migration hold the plain hashes.
ALTER TABLE quarantine UPDATE payload_sha256 = repeat('0', 64) WHERE payload_sha256 != repeat('0', 64)
SETTINGS mutations_sync = 2;

ALTER TABLE quarantine COMMENT COLUMN IF EXISTS payload_sha256
    'id of the hash key (8 hex digits), then the first 56 of the HMAC-SHA256 of the bytes as they were in Kafka; zeros in rows loaded before hashes were keyed';
