//! The database's versions. Append only: what stands here has run somewhere.

/// Each step takes the database from the version of its index to the next.
pub const STEPS: &[&str] = &[
    // 1: the first one that was ever served
    r"
    CREATE TABLE renters (
        id          TEXT PRIMARY KEY,
        token_hash  TEXT NOT NULL UNIQUE,
        created_ms  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE rigs (
        id            TEXT PRIMARY KEY,
        key           TEXT NOT NULL,
        epoch         INTEGER NOT NULL,
        agent         TEXT NOT NULL,
        opened_ms     INTEGER NOT NULL,
        last_command  INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE jobs (
        id            TEXT PRIMARY KEY,
        renter        TEXT NOT NULL REFERENCES renters(id),
        spec          TEXT NOT NULL,
        state         TEXT NOT NULL,
        submitted_ms  INTEGER NOT NULL,
        tries_left    INTEGER NOT NULL,
        cancelled     INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX jobs_by_renter ON jobs(renter, submitted_ms);
    CREATE INDEX jobs_queued ON jobs(submitted_ms) WHERE state = 'queued';
    CREATE TABLE leases (
        id           TEXT PRIMARY KEY,
        job          TEXT NOT NULL REFERENCES jobs(id),
        renter       TEXT NOT NULL REFERENCES renters(id),
        rig          TEXT NOT NULL REFERENCES rigs(id),
        gpus         TEXT NOT NULL,
        price        INTEGER NOT NULL,
        fee_bp       INTEGER NOT NULL,
        deadline_ms  INTEGER NOT NULL,
        state        TEXT NOT NULL,
        granted_ms   INTEGER NOT NULL,
        ended_ms     INTEGER,
        used_ms      INTEGER NOT NULL DEFAULT 0,
        usage_proof  TEXT,
        reserved     INTEGER NOT NULL,
        paid_ms      INTEGER NOT NULL DEFAULT 0,
        gross        INTEGER NOT NULL DEFAULT 0,
        fee          INTEGER NOT NULL DEFAULT 0,
        progress     INTEGER,
        ending       TEXT,
        closed       INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX leases_by_job ON leases(job);
    CREATE INDEX leases_by_renter ON leases(renter);
    CREATE INDEX leases_by_rig ON leases(rig);
    CREATE INDEX leases_open ON leases(rig) WHERE closed = 0;
    CREATE TABLE lease_outputs (
        lease  TEXT NOT NULL REFERENCES leases(id),
        cid    TEXT NOT NULL,
        bytes  INTEGER NOT NULL,
        PRIMARY KEY (lease, cid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lease_outputs_by_cid ON lease_outputs(cid);
    CREATE TABLE commands (
        rig    TEXT NOT NULL REFERENCES rigs(id),
        id     INTEGER NOT NULL,
        lease  TEXT NOT NULL,
        body   TEXT NOT NULL,
        PRIMARY KEY (rig, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE blobs (
        cid    TEXT NOT NULL,
        rig    TEXT NOT NULL REFERENCES rigs(id),
        bytes  INTEGER NOT NULL,
        PRIMARY KEY (cid, rig)
    ) STRICT, WITHOUT ROWID;
    -- Money, in micro-USD. Every entry's postings add up to zero; an account is the sum of its postings.
    CREATE TABLE accounts (
        name    TEXT PRIMARY KEY,
        amount  INTEGER NOT NULL DEFAULT 0 CHECK (amount >= 0 OR name = 'outside')
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE entries (
        id     INTEGER PRIMARY KEY,
        at_ms  INTEGER NOT NULL,
        kind   TEXT NOT NULL,
        lease  TEXT
    ) STRICT;
    CREATE INDEX entries_by_lease ON entries(lease);
    CREATE TABLE postings (
        entry    INTEGER NOT NULL REFERENCES entries(id),
        account  TEXT NOT NULL REFERENCES accounts(name),
        amount   INTEGER NOT NULL,
        PRIMARY KEY (entry, account)
    ) STRICT, WITHOUT ROWID;
    ",
    // 2: inputs that renters upload, and what a job goes on from
    r"
    CREATE TABLE renter_blobs (
        cid     TEXT NOT NULL,
        renter  TEXT NOT NULL REFERENCES renters(id),
        bytes   INTEGER NOT NULL,
        PRIMARY KEY (cid, renter)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX renter_blobs_by_renter ON renter_blobs(renter);
    -- What the rig of a lease may fetch while it is open.
    CREATE TABLE lease_inputs (
        lease  TEXT NOT NULL REFERENCES leases(id),
        cid    TEXT NOT NULL,
        bytes  INTEGER NOT NULL,
        PRIMARY KEY (lease, cid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lease_inputs_by_cid ON lease_inputs(cid);
    ALTER TABLE leases ADD COLUMN checkpoint TEXT;
    -- Checkpoints that were replaced, or whose job is over.
    CREATE TABLE stale_checkpoints (
        cid       TEXT NOT NULL,
        rig       TEXT NOT NULL REFERENCES rigs(id),
        since_ms  INTEGER NOT NULL,
        PRIMARY KEY (cid, rig)
    ) STRICT, WITHOUT ROWID;
    ",
];
