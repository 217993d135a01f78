-- A word that says nothing but that the provider has the message proves a hand-over of unknown fate (P5.9).
alter table receipts drop constraint receipts_result_check;
alter table receipts add constraint receipts_result_check check (result in ('sent', 'delivered', 'undelivered'));
