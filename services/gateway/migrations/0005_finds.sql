-- The word comes first: tenants and keys are the same for millions, and would be compared at every step of a search.
alter table finds drop constraint finds_pkey;
alter table finds add primary key (value, key, tenant, place);
