-- Whether there are any suppressions at all is asked by each batch, and is to cost nothing where there are none.
create index objects_suppressed on objects (tenant, name) where kind = 'suppression' and not gone;
