-- Who signs in to the console: persons of organisations, their sessions, and every attempt.
-- None of it is a fact of the ledger: the log names a person by organisation and person alone.

DO $$ BEGIN
  CREATE ROLE mingzhang_console NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
CREATE SCHEMA console;
GRANT USAGE ON SCHEMA ledger, console TO mingzhang_console;
GRANT SELECT ON ledger.organisation TO mingzhang_console;

CREATE TABLE console.person (
  organisation text        NOT NULL REFERENCES ledger.organisation (code),
  person       text        NOT NULL CHECK (person <> ''),  -- as API keys and events name him
  name         text        NOT NULL,
  password     text        CHECK (password LIKE '$argon2id$%'),  -- null: signs in to a demo alone
  code_secret  bytea,                   -- of the one-time codes, encrypted outside the database
  last_step    bigint      NOT NULL DEFAULT 0,  -- of the last code taken: none is taken twice
  demo         boolean     NOT NULL DEFAULT false,
  enrolled_at  timestamptz NOT NULL DEFAULT now(),
  disabled_at  timestamptz,
  PRIMARY KEY (organisation, person),
  CHECK (demo = (password IS NULL) AND demo = (code_secret IS NULL))
);
GRANT SELECT ON console.person TO mingzhang_console;
GRANT UPDATE (last_step) ON console.person TO mingzhang_console;

CREATE TABLE console.session (
  token_hash   bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  organisation text        NOT NULL,
  person       text        NOT NULL,
  browser_hash bytea       NOT NULL,  -- of the host, the address and the browser that signed in
  begun_at     timestamptz NOT NULL,
  seen_at      timestamptz NOT NULL,
  ended_at     timestamptz,
  FOREIGN KEY (organisation, person) REFERENCES console.person
);
CREATE INDEX ON console.session (organisation, person) WHERE ended_at IS NULL;
GRANT SELECT, INSERT ON console.session TO mingzhang_console;
GRANT UPDATE (seen_at, ended_at) ON console.session TO mingzhang_console;

-- An attempt is entered before the password is looked at, so that many at once count as many.
CREATE TABLE console.sign_in (
  number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL,
  organisation text        NOT NULL,
  person       text        NOT NULL,
  address      text        NOT NULL,
  outcome      text        NOT NULL CHECK (outcome IN ('tried', 'admitted'))
);
CREATE INDEX ON console.sign_in (organisation, person, at);
CREATE INDEX ON console.sign_in (address, at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON console.sign_in
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE console.sign_in ENABLE ALWAYS TRIGGER append_only;
GRANT SELECT, INSERT ON console.sign_in TO mingzhang_console;
