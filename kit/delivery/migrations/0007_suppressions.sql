-- What a result says of the address itself, so that a repeat of its event says that, too.
alter table claims add column suppress text;
comment on column claims.suppress is 'Why nothing shall be sent to its address any more; the address is not known here.';

alter table receipts add column suppress text;
comment on column receipts.suppress is 'The same, of what came back.';
