# SQL: the readers that the startup process waits for; `held` says, before this, whether it waits for any.
readers="(select reader.pid, reader.state
    from (select pid, wait_event_type as type from pg_stat_activity where backend_type = 'startup' and ($held)) startup,
      pg_stat_activity reader
    where backend_type = 'client backend' and reader.pid <> pg_backend_pid()
      and case type when 'Lock' then exists (select from pg_locks held, pg_locks wanted
        where wanted.pid = startup.pid and not wanted.granted and held.pid = reader.pid and held.granted
          and (held.database, held.relation) = (wanted.database, wanted.relation)) else xact_start is not null end) readers"
