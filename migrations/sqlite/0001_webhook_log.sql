-- Times are milliseconds since 1970. An id is a UUID of version 7, so ids sort by time.
CREATE TABLE webhook_log (
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
CREATE INDEX webhook_log_provider ON webhook_log (provider, id);
CREATE INDEX webhook_log_tenant ON webhook_log (tenant, id) WHERE tenant IS NOT NULL;
-- Most rows are successes, and nobody looks for those.
CREATE INDEX webhook_log_status ON webhook_log (status, id) WHERE status <> 'success';
