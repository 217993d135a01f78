-- A receipt says what the provider calls the message: of a hand-over that it proves nobody else has said that (P5.9).
alter table receipts add column provider_id text;
comment on column receipts.provider_id is 'What the provider calls the message; null where it does not say so.';
