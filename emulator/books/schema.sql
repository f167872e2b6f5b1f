-- Everything the emulator remembers across a kill. Times are microseconds since 1970 in UTC, money is a whole
-- number of 1e-12 dollars, so that sums are exact.

CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE cache_entry (
    lane TEXT NOT NULL CHECK (lane IN ('live', 'batch')),
    model TEXT NOT NULL,
    workspace TEXT NOT NULL,
    digest BLOB NOT NULL,
    ttl TEXT NOT NULL CHECK (ttl IN ('5m', '1h')),
    readable_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (lane, model, workspace, digest)
) WITHOUT ROWID;

CREATE INDEX cache_entry_end ON cache_entry (lane, expires_at);

-- Usage by minute and by everything a report can be grouped by.
CREATE TABLE usage_minute (
    minute INTEGER NOT NULL,
    workspace TEXT NOT NULL,
    model TEXT NOT NULL,
    service_tier TEXT NOT NULL,
    inference_geo TEXT NOT NULL,
    context_window TEXT NOT NULL,
    price_step INTEGER NOT NULL, -- the prompt size above which this price holds; -1 for the first
    billed INTEGER NOT NULL CHECK (billed IN (0, 1)), -- 0: carries usage and costs nothing
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_picodollars INTEGER NOT NULL,
    PRIMARY KEY (minute, workspace, model, service_tier, inference_geo, context_window, price_step, billed)
) WITHOUT ROWID;

CREATE TABLE call (
    n INTEGER PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE batch (
    number INTEGER PRIMARY KEY, -- in the order of creation
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    cancel_initiated_at INTEGER,
    ends_at INTEGER NOT NULL, -- when the last item so far ends
    queued INTEGER NOT NULL, -- items whose turn has not come
    archived INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE batch_item (
    batch INTEGER NOT NULL REFERENCES batch (number),
    position INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    place INTEGER NOT NULL, -- where its result stands: never the order of the requests
    starts_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'succeeded', 'errored', 'canceled', 'expired')),
    params TEXT, -- until its turn has come
    result TEXT, -- from then on
    PRIMARY KEY (batch, position)
) WITHOUT ROWID;

CREATE INDEX batch_item_turn ON batch_item (starts_at, batch, position) WHERE state = 'queued';
CREATE UNIQUE INDEX batch_item_place ON batch_item (batch, place);
