-- The tree over the log: its nodes, the checkpoints signed over it, and who else signed them.
-- All of it can be made again from ledger.event, but for the signatures.

DO $$ BEGIN
  CREATE ROLE mingzhang_sealer NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA ledger TO mingzhang_sealer;
GRANT SELECT ON ledger.event TO mingzhang_sealer;

-- Hashes of complete subtrees, 32 bytes each: `hashes` holds the nodes `first`, `first` + 1 ... of
-- a level. Only levels 0 (the leaves), 8, 16 ... are kept.
CREATE TABLE ledger.tree_node (
  origin text     NOT NULL,
  level  smallint NOT NULL,
  first  bigint   NOT NULL,
  hashes bytea    NOT NULL,
  PRIMARY KEY (origin, level, first),
  CHECK (level >= 0 AND first >= 0 AND length(hashes) > 0 AND length(hashes) % 32 = 0)
);
ALTER TABLE ledger.tree_node ALTER COLUMN hashes SET STORAGE EXTERNAL;  -- read in slices

CREATE TABLE ledger.checkpoint (
  origin    text        NOT NULL,
  size      bigint      NOT NULL,
  signed_at timestamptz NOT NULL,
  note      text        NOT NULL,  -- as it was signed
  PRIMARY KEY (origin, size, signed_at)
);

CREATE INDEX checkpoint_in_time ON ledger.checkpoint (signed_at);

-- Who may witness, by the key that he showed; and what he signed.
CREATE TABLE ledger.witness (
  vkey         text        PRIMARY KEY,
  organisation text        NOT NULL REFERENCES ledger.organisation,
  admitted_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ledger.cosignature (
  origin   text        NOT NULL,
  size     bigint      NOT NULL,
  line     text        NOT NULL,
  given_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (origin, size, line)
);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tree_node', 'checkpoint', 'witness', 'cosignature'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.%I'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER append_only', name);
    EXECUTE format('GRANT SELECT ON ledger.%I TO mingzhang_sealer, mingzhang_reader', name);
  END LOOP;
END $$;
GRANT INSERT ON ledger.tree_node, ledger.checkpoint TO mingzhang_sealer;
GRANT INSERT ON ledger.cosignature TO mingzhang_sealer;
GRANT SELECT ON ledger.organisation TO mingzhang_sealer;
