-- The templates of a tenant and their versions: few among the settings, and listed by their names.
create index directory_templates on directory (tenant, key)
    where topic = 'directory.settings' and starts_with(key, tenant || '/template/');
