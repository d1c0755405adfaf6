-- An API key may end by itself, on the date it was made with or, when it was exchanged for another, some time after that.
ALTER TABLE api_keys ADD COLUMN expire_time timestamptz CHECK (expire_time >= create_time);
COMMENT ON COLUMN api_keys.expire_time IS 'From then on the key is none; null: it ends only when it is revoked.';
