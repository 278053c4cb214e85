-- Long pieces of work that somebody asked the console for: at most one at a time.
-- Whether one is still worked on is seen by the lock that its service holds, so that a service that
-- died leaves none that seems to run.

CREATE TABLE console.job (
  number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind         text        NOT NULL CHECK (kind IN ('rebuild', 'verify', 'facts')),
  asked        text        NOT NULL,     -- JSON: ledger and dates
  organisation text        NOT NULL,
  person       text        NOT NULL,
  begun_at     timestamptz NOT NULL,
  state        text        NOT NULL DEFAULT 'running'
               CHECK (state IN ('running', 'done', 'failed', 'stopped', 'abandoned')),
  done         bigint      NOT NULL DEFAULT 0,
  total        bigint      NOT NULL DEFAULT 0,
  stop_asked   boolean     NOT NULL DEFAULT false,
  ended_at     timestamptz,
  found        text,                     -- JSON: the result
  FOREIGN KEY (organisation, person) REFERENCES console.person,
  CHECK ((state = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX one_job_at_a_time ON console.job ((true)) WHERE ended_at IS NULL;
GRANT SELECT, INSERT ON console.job TO mingzhang_console;
GRANT UPDATE (state, done, total, stop_asked, ended_at, found) ON console.job TO mingzhang_console;
