-- The suppressed addresses of a tenant, the newest first.
create index directory_suppressions on directory (tenant, as_of, key)
    where topic = 'directory.settings' and value is not null and starts_with(key, tenant || '/suppression/');
