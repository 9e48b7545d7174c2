-- What GPUs did, minute by minute and piece by piece, and what their owner did: kept for the owner's eyes, and for
-- trying other settings on. Losing the last minute of it in a power cut costs nobody anything.

-- A short number for each GPU, so that its id does not stand in every row.
CREATE TABLE recorded_gpu (
    id  INTEGER PRIMARY KEY,
    gpu TEXT NOT NULL UNIQUE
) STRICT;

-- `kind` and `reasons` by their names on the wire; `reason` is the leading one, as JSON.
CREATE TABLE segment (
    gpu     INTEGER NOT NULL REFERENCES recorded_gpu (id),
    from_ms INTEGER NOT NULL CHECK (from_ms >= 0),
    to_ms   INTEGER NOT NULL CHECK (to_ms > from_ms),
    kind    TEXT    NOT NULL,
    reasons TEXT    NOT NULL,
    reason  TEXT,
    lease   TEXT,
    PRIMARY KEY (gpu, from_ms)
) STRICT, WITHOUT ROWID;

-- Readings are means over the minute: tenths of a °C, mW, thousandths, MiB. `cost` is in thousandths of a micro-USD.
CREATE TABLE minute (
    gpu        INTEGER NOT NULL REFERENCES recorded_gpu (id),
    minute     INTEGER NOT NULL CHECK (minute >= 0),
    ms         INTEGER NOT NULL CHECK (ms BETWEEN 0 AND 60000),
    temperature INTEGER,
    power      INTEGER,
    load       INTEGER,
    memory     INTEGER,
    rented     INTEGER NOT NULL,
    offered    INTEGER NOT NULL,
    asked      INTEGER NOT NULL,
    pays       INTEGER,
    energy     INTEGER NOT NULL,
    unmeasured INTEGER NOT NULL,
    unpriced   INTEGER NOT NULL,
    cost       INTEGER NOT NULL,
    earned     INTEGER NOT NULL,
    PRIMARY KEY (gpu, minute)
) STRICT, WITHOUT ROWID;

-- Fifteen minutes each, reckoned from them: the mean of each reading, then its lowest and highest minute.
CREATE TABLE quarter (
    gpu        INTEGER NOT NULL REFERENCES recorded_gpu (id),
    quarter    INTEGER NOT NULL,
    ms         INTEGER NOT NULL,
    temperature REAL, temperature_min INTEGER, temperature_max INTEGER,
    power      REAL, power_min INTEGER, power_max INTEGER,
    load       REAL, load_min INTEGER, load_max INTEGER,
    memory     REAL, memory_min INTEGER, memory_max INTEGER,
    rented     INTEGER NOT NULL,
    offered    INTEGER NOT NULL,
    asked      INTEGER NOT NULL,
    pays       INTEGER,
    energy     INTEGER NOT NULL,
    unmeasured INTEGER NOT NULL,
    unpriced   INTEGER NOT NULL,
    cost       INTEGER NOT NULL,
    earned     INTEGER NOT NULL,
    PRIMARY KEY (gpu, quarter)
) STRICT, WITHOUT ROWID;

-- Lines of a trace. `whole` says everything, the others what changed.
CREATE TABLE trace_line (
    id    INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    whole INTEGER NOT NULL CHECK (whole IN (0, 1)),
    json  TEXT    NOT NULL
) STRICT;
CREATE INDEX trace_line_by_time ON trace_line (at_ms);
