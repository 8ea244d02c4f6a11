-- The first schema. Applied in one transaction together with user_version (I-18).
--
-- In an ANY column TEXT is JSON and BLOB is reserved for raw bytes.
-- REAL holds the infinite priorities. Codes are those of tasker_core.

-- One row per task. The uuid carries seq, so it needs no index. Each column is read and written
-- twice in a task's life, so what is rarely set shares one. Wide columns stand last, so that
-- reading the narrow ones never touches overflow pages.
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  uuid BLOB NOT NULL,
  lane_id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  priority REAL NOT NULL,
  attempt INTEGER NOT NULL,
  owner_id INTEGER,
  run_id BLOB,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  cause INTEGER,
  -- JSON: id, label, tags, runAt, runTimeout …; what is not set is not there.
  options TEXT,
  -- JSON: current, total, unit.
  progress TEXT,
  data ANY,
  outcome ANY,
  -- Zeros that give way to the run and the outcome, so that a row keeps its size: then SQLite
  -- writes it in its place.
  padding BLOB
) STRICT;

-- The queue of each lane; rows of equal priority are in the order of seq, the row id.
CREATE INDEX ready ON tasks (lane_id, priority DESC) WHERE state = $ready;

-- What waits outside the lanes: blocked, delayed, paused, claimed. One comparison, because each
-- change of a state makes it.
CREATE INDEX unqueued ON tasks (priority DESC) WHERE state < $running;

-- The live runs, of whichever owner: claimed or running. By seq, for a key that differs in its
-- first column is found faster. Only a statement that repeats the term with BETWEEN uses it.
CREATE INDEX live ON tasks (seq) WHERE state BETWEEN $claimed AND $running;

-- What is due when. Whoever finds a timer due looks at the row and acts or drops the timer, so a row
-- that changes need not take its timers back. ref is a task, or the number with which a block of them
-- begins.
CREATE TABLE timers (
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  ref INTEGER NOT NULL,
  PRIMARY KEY (at, kind, ref)
) STRICT, WITHOUT ROWID;

-- What tasks that have not ended depend on. A row goes when its dependent ends, so as long as one is
-- left its dependency is needed. What is not met comes first, for that is what an end looks for.
CREATE TABLE waits (
  dependency INTEGER NOT NULL,
  is_met INTEGER NOT NULL,
  dependent INTEGER NOT NULL,
  PRIMARY KEY (dependency, is_met, dependent)
) STRICT, WITHOUT ROWID;

-- What one task waits for.
CREATE INDEX waits_of ON waits (dependent, is_met);

-- The keys under which tasks were added, so that adding again makes no second task (I-2): the task
-- that has, or had, each one last. Whether a unique key is held is said by the state of its task and
-- by holds, which is a code of KeyKind, so no row is written when a task starts or ends; until is when
-- its ttl is over. The first byte of a key says whether it is of an outbox row or of an operation. The
-- key of an outbox row may outlive its task, until then; uuid is that of the task that is gone.
CREATE TABLE keys (
  key BLOB PRIMARY KEY,
  seq INTEGER NOT NULL,
  holds INTEGER NOT NULL,
  until INTEGER,
  uuid BLOB
) STRICT, WITHOUT ROWID;

-- The keys of a task, to find them when it is removed.
CREATE INDEX keys_of ON keys (seq) WHERE uuid IS NULL;

-- The keys of tasks that are gone, by when they are to go too.
CREATE INDEX keys_until ON keys (until) WHERE uuid IS NOT NULL;

-- Attempts that another one follows or followed, the last 99 of each task. The facts of the last one
-- of all are on the task's row.
CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  n INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  run_id BLOB NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  end_code INTEGER NOT NULL,
  -- How many have failed since the task was added or opened again, and how many in a row have been
  -- lost, this one with them.
  failures INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  -- Why it failed or was aborted, and its error; of one that was done its result. Bounded.
  cause INTEGER,
  outcome ANY,
  PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE logs (
  seq INTEGER NOT NULL,
  n INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  level INTEGER NOT NULL,
  at INTEGER NOT NULL,
  message TEXT NOT NULL,
  fields TEXT,
  PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- The operations that have, or had, tasks, or of which something was said: 1 to 65,535. The lane of a
-- task is n * 65536 + operation, so that it needs no row of its own. The version counts the changes
-- of the row.
CREATE TABLE operations (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  -- Since when it is paused, if it is.
  paused_at INTEGER,
  -- JSON: what defineOperation and assignRunner say, a layer each; nothing if they say nothing.
  settings TEXT
) STRICT;

-- Running tasks that are to be aborted, the last wish for each; it holds for the run that it names.
CREATE TABLE aborts (
  seq INTEGER PRIMARY KEY,
  run_id BLOB NOT NULL,
  cause INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Running tasks that are to go back to the queue, the last wish for each; it holds for the run that it
-- names.
CREATE TABLE postponements (
  seq INTEGER PRIMARY KEY,
  run_id BLOB NOT NULL,
  -- When it may start again; at once if absent.
  due_at INTEGER,
  reason TEXT NOT NULL
) STRICT;

-- Live runs that are to halt at a checkpoint or have halted, and whether they may go on again. A wish
-- goes with its run: so these rows are few, and lead to the halted runs, which index live has not.
CREATE TABLE pauses (
  seq INTEGER PRIMARY KEY,
  run_id BLOB NOT NULL,
  goes_on INTEGER NOT NULL
) STRICT;

-- The journal: one row per commit, which also says where the store stands after it.
CREATE TABLE batches (
  number INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  seq_next INTEGER NOT NULL,
  -- The next free n of a lane.
  lane_next INTEGER NOT NULL,
  counts TEXT NOT NULL,
  -- Between which moments tasks entered or ended by it.
  first_at INTEGER,
  last_at INTEGER,
  -- What tasks were before steps that do not tell it.
  notes BLOB,
  transitions BLOB NOT NULL
) STRICT;

-- What the tasks of 4,096 consecutive numbers may be, so that a search leaves out those that cannot
-- match: their states by bits, their operations, two bytes each, and between which moments they
-- entered and ended. As of batch meta.outlined; later batches are to be added.
CREATE TABLE outlines (
  block INTEGER PRIMARY KEY,
  states INTEGER NOT NULL,
  created_first INTEGER,
  created_last INTEGER,
  ended_first INTEGER,
  ended_last INTEGER,
  operations BLOB NOT NULL
) STRICT;

-- How many tasks of each operation are in each state. As of batch meta.outlined; later batches are
-- to be added.
CREATE TABLE totals (
  operation_id INTEGER PRIMARY KEY,
  blocked INTEGER NOT NULL,
  delayed INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  claimed INTEGER NOT NULL,
  running INTEGER NOT NULL,
  ready INTEGER NOT NULL,
  done INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  aborted INTEGER NOT NULL
) STRICT;

-- The tasks that have not ended and are attached to an owner, which alone can run them.
CREATE TABLE attached (
  owner_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (owner_id, seq)
) STRICT, WITHOUT ROWID;

-- The tasks that have not ended and lapse: that end when the last owner stops that offers their
-- operation. Only those have a row.
CREATE TABLE lapsing (
  operation_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (operation_id, seq)
) STRICT, WITHOUT ROWID;

-- Queries that let no task start that matches, until a moment. An id is that of the batch that made it,
-- times 128, and a small number. A row goes when the tasks are freed that it has held.
CREATE TABLE holds (
  id INTEGER PRIMARY KEY,
  query TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  -- Who made it: the process, and the task whose runner asked for it.
  pid INTEGER NOT NULL,
  uuid BLOB,
  is_released INTEGER NOT NULL
) STRICT;

-- The tasks that a hold has held. They may have become anything since.
CREATE TABLE held (
  hold INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (hold, seq)
) STRICT, WITHOUT ROWID;

-- What is to be added when. A number is that of the batch that made the row, times 16,384, and a small
-- number. The version counts the changes of the row.
CREATE TABLE schedules (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  -- JSON: cron or every, timezone, task, overlap …
  spec TEXT NOT NULL,
  -- JSON: what holds for its tasks where neither they nor their operation say anything; nothing if that
  -- is nothing.
  defaults TEXT,
  -- From where every counts.
  anchor_at INTEGER NOT NULL,
  -- Its next tick, also while it is paused; nothing once it is over.
  next_at INTEGER,
  -- The last task that it made, and for which tick.
  last_at INTEGER,
  last_uuid BLOB,
  -- How many tasks its ticks have made.
  made INTEGER NOT NULL,
  paused_at INTEGER
) STRICT;
-- What is known of gates that open by time. Of a rate limit (type 1): when all tokens of a key are back,
-- which is the JSON text of a value, empty if there is none. Of a circuit breaker (type 2): the circuit
-- of a key, and until when that says something. A row that lies in the past says nothing, and is swept.
CREATE TABLE gates (
  operation_id INTEGER NOT NULL,
  type INTEGER NOT NULL,
  key TEXT NOT NULL,
  -- Whole milliseconds. In the state of a rate limit the part of one that is left, such as 6/7, nothing
  -- if none is; in that of a circuit a JSON object: the batch since which it is so, and the last failures
  -- of one that is closed, when one that is open ends, or the tasks that are tried.
  at INTEGER NOT NULL,
  state TEXT,
  PRIMARY KEY (operation_id, type, key)
) STRICT, WITHOUT ROWID;

-- The tasks that executors outside have ever taken: how often each has changed since, and when last.
-- While one has it: its run, which has no owner and stands in the task's row from its start on, and until
-- when the executor must be heard of. Who it is, or was last, if it has said so.
CREATE TABLE outside (
  seq INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  run_id BLOB,
  lease_until INTEGER,
  executor TEXT
) STRICT;

-- The leases, by their ends.
CREATE INDEX leases ON outside (lease_until) WHERE lease_until IS NOT NULL;

-- The open handles. Ids are never reused, so a run's owner is never mistaken for a later one.
CREATE TABLE owners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id TEXT NOT NULL,
  pid INTEGER NOT NULL,
  pid_started_at INTEGER,
  lock_file TEXT NOT NULL,
  is_exclusive INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  -- JSON: the names of the operations of which it starts tasks, in order; nothing if there are none.
  -- A change of it is a step of the journal, so a row is deleted only without.
  offers TEXT
) STRICT;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;
