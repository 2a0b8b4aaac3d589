-- A person has read of the gap and ordered the stream to go on behind it (`gridstream stream resume --lost`).
ALTER TABLE gaps ADD COLUMN IF NOT EXISTS accepted UInt8 DEFAULT 0 COMMENT '1: the load goes on behind it' AFTER last_offset;
