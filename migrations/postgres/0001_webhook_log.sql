-- Times are milliseconds since 1970. An id is a UUID of version 7, so ids sort by time.
CREATE TABLE webhook_log (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    processed_at BIGINT,
    processing_ms BIGINT,
    stored_len BIGINT NOT NULL,
    status TEXT NOT NULL,
    provider TEXT NOT NULL,
    tenant TEXT,
    event_name TEXT,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    verified BOOLEAN NOT NULL,
    http_status BIGINT,
    reason TEXT,
    message TEXT,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT,
    delivery_id TEXT,
    key_index BIGINT,
    count BIGINT,
    body_len BIGINT,
    body_sha256 BYTEA,
    headers TEXT NOT NULL,
    payload_truncated BOOLEAN NOT NULL,
    payload BYTEA
);
CREATE INDEX webhook_log_provider ON webhook_log (provider, id);
CREATE INDEX webhook_log_tenant ON webhook_log (tenant, id) WHERE tenant IS NOT NULL;
-- Most rows are successes, and nobody looks for those.
CREATE INDEX webhook_log_status ON webhook_log (status, id) WHERE status <> 'success';
