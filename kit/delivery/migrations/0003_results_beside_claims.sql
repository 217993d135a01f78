-- A result makes its row four times as long as the claim was. Where the page has room for that, the new version stands
-- beside the old one and no index is touched; the table as a whole does not grow by it.
alter table claims set (fillfactor = 20);
