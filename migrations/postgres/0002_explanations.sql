-- The cause of a rejection, which is known after its row has been written.
ALTER TABLE webhook_deliveries ADD COLUMN cause TEXT;
ALTER TABLE webhook_deliveries ADD COLUMN explanation TEXT;
