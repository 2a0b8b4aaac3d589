-- What judging says of an accepted message beside its type, and what a range says of its messages.

ALTER TABLE events ADD COLUMN IF NOT EXISTS
    warnings Array(LowCardinality(String)) COMMENT 'rules that it breaks without being refused; see schemas/expectations' AFTER extra;
ALTER TABLE events ADD COLUMN IF NOT EXISTS
    outside_m Nullable(Float32) COMMENT 'metres from the outline of its county; NULL when inside, without a location or without an outline' AFTER lat;
ALTER TABLE events ADD COLUMN IF NOT EXISTS
    suspect Float32 COMMENT 'probability that the report is perfunctory or false; shown, never a reason to refuse' AFTER alternative_confidence;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    warned UInt32 COMMENT 'of the good ones, those with a warning' AFTER duplicates;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    masked Map(LowCardinality(String), UInt32) COMMENT 'how many pieces of personal data of each kind were masked' AFTER warned;
