-- Planning an allocation anew writes a new message: what it lost its GPUs to must outlive that.
ALTER TABLE allocations ADD COLUMN setback text NOT NULL DEFAULT '' CHECK (char_length(setback) <= 5000);
COMMENT ON COLUMN allocations.setback IS 'When and why it last lost its GPUs before its time; empty when it never did.';
