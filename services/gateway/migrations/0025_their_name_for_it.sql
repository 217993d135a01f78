-- What the provider calls a message: whoever asks its support about one needs that.
alter table timeline add column provider_id text;
