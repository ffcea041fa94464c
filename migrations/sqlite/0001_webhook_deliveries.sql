-- Times are milliseconds since 1970. An ID is a UUID of version 7, so IDs sort by time.
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    processed_at INTEGER,
    processing_ms INTEGER,
    stored_len INTEGER NOT NULL,
    status TEXT NOT NULL,
    provider TEXT NOT NULL,
    tenant TEXT,
    event_name TEXT,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    verified BOOLEAN NOT NULL,
    http_status INTEGER,
    reason TEXT,
    message TEXT,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT,
    delivery_id TEXT,
    key_index INTEGER,
    count INTEGER,
    body_len INTEGER,
    body_sha256 BLOB,
    headers TEXT NOT NULL,
    payload_truncated BOOLEAN NOT NULL,
    payload BLOB
);
-- Each index ends with the ID, so that the newest rows of a status, a provider or a tenant are adjacent.
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (status, id);
CREATE INDEX webhook_deliveries_provider ON webhook_deliveries (provider, status, id);
CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant, provider, status, id) WHERE tenant IS NOT NULL;
-- Exact totals of the rows up to `counted`, so that pruning need not count all rows. The log adds later rows
-- once for each transaction, including rows that other programs inserted: a trigger on inserts would triple
-- the cost of a row.
CREATE TABLE webhook_deliveries_totals (rows INTEGER NOT NULL, bytes INTEGER NOT NULL, counted INTEGER NOT NULL);
INSERT INTO webhook_deliveries_totals (rows, bytes, counted) VALUES (0, 0, 0);
CREATE TRIGGER webhook_deliveries_updated AFTER UPDATE OF stored_len ON webhook_deliveries
WHEN NEW.stored_len <> OLD.stored_len BEGIN
    UPDATE webhook_deliveries_totals SET bytes = bytes + NEW.stored_len - OLD.stored_len
    WHERE OLD.rowid <= counted;
END;
CREATE TRIGGER webhook_deliveries_deleted AFTER DELETE ON webhook_deliveries BEGIN
    UPDATE webhook_deliveries_totals SET
        rows = rows - (OLD.rowid <= counted),
        bytes = bytes - (OLD.rowid <= counted) * OLD.stored_len,
        -- The number of the last row is given again.
        counted = MIN(counted, (SELECT COALESCE(MAX(rowid), 0) FROM webhook_deliveries));
END;
