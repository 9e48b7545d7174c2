-- The core's memory: one opaque text.
CREATE TABLE memory (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    json TEXT NOT NULL
) STRICT;

-- Leases that are over, in the order in which they ended.
CREATE TABLE archived_lease (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    lease TEXT NOT NULL UNIQUE,
    json  TEXT NOT NULL
) STRICT;

CREATE TABLE bench (
    gpu     TEXT NOT NULL,
    driver  TEXT NOT NULL,
    kernels TEXT NOT NULL,
    json    TEXT NOT NULL,
    PRIMARY KEY (gpu, driver, kernels)
) STRICT, WITHOUT ROWID;

CREATE TABLE pinned (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The wallet. All amounts are micro-USD.
CREATE TABLE channel (
    id   TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The highest voucher of each channel, and those that earnings point at.
CREATE TABLE voucher (
    channel   TEXT    NOT NULL REFERENCES channel (id),
    amount    INTEGER NOT NULL CHECK (amount >= 0),
    signature TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (channel, amount)
) STRICT, WITHOUT ROWID;

-- Cumulative figures of each lease; the postings say the same, and `audit` compares.
CREATE TABLE earning (
    lease       TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    price       INTEGER NOT NULL CHECK (price >= 0),
    fee_points  INTEGER NOT NULL CHECK (fee_points BETWEEN 0 AND 10000),
    at_ms       INTEGER NOT NULL,
    used_ms     INTEGER NOT NULL CHECK (used_ms >= 0),
    paid_ms     INTEGER NOT NULL DEFAULT 0 CHECK (paid_ms BETWEEN 0 AND used_ms),
    gross       INTEGER NOT NULL CHECK (gross >= 0),
    fee         INTEGER NOT NULL CHECK (fee BETWEEN 0 AND gross),
    net         INTEGER NOT NULL CHECK (net = gross - fee),
    proven      INTEGER NOT NULL DEFAULT 0 CHECK (proven >= 0),
    written_off INTEGER NOT NULL DEFAULT 0 CHECK (written_off >= 0 AND proven + written_off <= net),
    channel     TEXT,
    voucher     INTEGER,
    settled     INTEGER NOT NULL DEFAULT 0,
    closed      INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (channel, voucher) REFERENCES voucher (channel, amount)
) STRICT;
CREATE INDEX earning_by_voucher ON earning (channel, voucher);

-- The journal: one entry gathers what one lease did in one way within a quarter of an hour (no local day starts
-- within a quarter), so that a rig rented all year writes tens of thousands of entries and not millions.
CREATE TABLE entry (
    id      INTEGER PRIMARY KEY,
    lease   TEXT    NOT NULL REFERENCES earning (lease),
    kind    TEXT    NOT NULL CHECK (kind IN ('accrue', 'receive', 'close')),
    quarter INTEGER NOT NULL,
    UNIQUE (lease, kind, quarter)
) STRICT;
CREATE INDEX entry_by_quarter ON entry (quarter);

-- Debits are positive, credits negative; those of an entry add up to zero.
CREATE TABLE posting (
    entry   INTEGER NOT NULL REFERENCES entry (id),
    account TEXT    NOT NULL CHECK (account IN ('income', 'fee', 'receivable', 'vouchered', 'written_off')),
    amount  INTEGER NOT NULL,
    PRIMARY KEY (entry, account)
) STRICT, WITHOUT ROWID;
