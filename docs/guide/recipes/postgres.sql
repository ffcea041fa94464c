-- Failures of the last day, newest first.
SELECT to_timestamp(received_at / 1000.0) AS received, provider, status, reason, http_status, url, delivery_id
FROM webhook_deliveries
WHERE status IN ('error', 'unauthorized') AND received_at >= 1000 * extract(epoch FROM now() - interval '1 day')
ORDER BY id DESC LIMIT 100;

-- A delivery by an ID that only its payload has. `payload` is `bytea`. `encode` takes any bytes.
SELECT id, to_timestamp(received_at / 1000.0) AS received, status, http_status
FROM webhook_deliveries
WHERE provider = 'stripe' AND encode(payload, 'escape') LIKE '%evt_1%'
ORDER BY id DESC;

-- A field of JSON payloads.
SELECT id, convert_from(payload, 'UTF8')::jsonb ->> 'type' AS type
FROM webhook_deliveries
WHERE provider = 'stripe' AND status = 'success' AND NOT payload_truncated
ORDER BY id DESC LIMIT 100;

-- Rejections of the last week by provider and reason.
SELECT provider, reason, count(*) AS requests, max(to_timestamp(received_at / 1000.0)) AS latest
FROM webhook_deliveries
WHERE status = 'unauthorized' AND received_at >= 1000 * extract(epoch FROM now() - interval '7 days')
GROUP BY provider, reason ORDER BY requests DESC;

-- Deliveries that an old secret still signs: `key_index` 0 is the current secret.
SELECT provider, tenant, key_index, count(*) AS deliveries, max(to_timestamp(received_at / 1000.0)) AS latest
FROM webhook_deliveries
WHERE verified AND key_index > 0
GROUP BY provider, tenant, key_index;

-- Deliveries whose handler was interrupted: the process ended before the outcome was written.
SELECT id, to_timestamp(received_at / 1000.0) AS received, provider, delivery_id
FROM webhook_deliveries
WHERE status = 'received' AND received_at < 1000 * extract(epoch FROM now() - interval '5 minutes')
ORDER BY id;

-- The slowest handlers of the last day.
SELECT provider, url, processing_ms, http_status
FROM webhook_deliveries
WHERE status = 'success' AND received_at >= 1000 * extract(epoch FROM now() - interval '1 day')
ORDER BY processing_ms DESC LIMIT 20;
