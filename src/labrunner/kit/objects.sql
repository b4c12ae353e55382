-- A readable line for every object of a database that is no index. $1 is the learner's role.
with
-- Temporary schemas stay behind when their session ends; their names and those of the system's begin with pg_.
own_schema (oid) as (
    select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
),
-- Roles of a lease have names of their own; the same objects in two leases give the same lines.
role_name (oid, name) as (
    select oid, case rolname when $1 then 'learner' when current_user then 'observer' else quote_ident(rolname) end
    from pg_roles
    union all
    select 0, 'public'
),
learner (oid) as (select oid from pg_roles where rolname = $1),
relation as (select c.* from pg_class c join own_schema n on n.oid = c.relnamespace),
member (classid, objid) as (select classid, objid from pg_depend where deptype = 'e'),

-- The class, the object, its column (0: the whole), and what would change with it, or null.
part (classid, objid, objsubid, detail) as (
    select 'pg_namespace'::regclass, n.oid, 0, null from own_schema n
    union all
    select 'pg_class'::regclass, c.oid, 0, concat_ws(', ',
           case c.relpersistence when 'u' then 'unlogged' end,
           case when c.relrowsecurity then 'row security' end,
           case when c.relforcerowsecurity then 'row security forced' end,
           case when c.relreplident in ('f', 'i') then 'replica identity ' || c.relreplident::text end,
           case when c.relkind = 'm' and not c.relispopulated then 'not populated' end,
           case when c.relkind = 'p' then 'partitioned by ' || pg_get_partkeydef(c.oid) end,
           pg_get_expr(c.relpartbound, c.oid),
           (select 'inherits ' || string_agg(i.inhparent::regclass::text, ' ' order by i.inhseqno)
            from pg_inherits i where i.inhrelid = c.oid),
           case when c.reloftype <> 0 then 'of ' || c.reloftype::regtype::text end,
           (select 'using ' || a.amname from pg_am a where a.oid = c.relam and a.amname <> 'heap'),
           (select 'tablespace ' || t.spcname from pg_tablespace t where t.oid = c.reltablespace),
           case when c.relkind in ('v', 'm') then 'definition ' || md5(pg_get_viewdef(c.oid)) end,
           'options ' || c.reloptions::text,
           (select 'server ' || s.srvname || coalesce(' ' || f.ftoptions::text, '')
            from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = c.oid))
    from relation c where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
    union all
    select 'pg_class'::regclass, c.oid, a.attnum, concat_ws(', ',
           format_type(a.atttypid, a.atttypmod),
           (select 'collation ' || a.attcollation::regcollation::text
            from pg_type t where t.oid = a.atttypid and t.typcollation <> a.attcollation),
           case when a.attnotnull then 'not null' end,
           case a.attgenerated when '' then 'default ' else 'generated ' || a.attgenerated::text || ' ' end
           || pg_get_expr(d.adbin, d.adrelid),
           'identity ' || nullif(a.attidentity::text, ''),
           (select 'storage ' || a.attstorage::text
            from pg_type t where t.oid = a.atttypid and t.typstorage <> a.attstorage),
           'compression ' || nullif(a.attcompression::text, ''),
           case when a.attstattarget >= 0 then 'statistics ' || a.attstattarget end,
           'options ' || a.attoptions::text, 'foreign options ' || a.attfdwoptions::text)
    from pg_attribute a
    join relation c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f', 'c')
    union all
    select 'pg_class'::regclass, s.seqrelid, 0, concat_ws(', ',
           s.seqtypid::regtype::text, 'start ' || s.seqstart, 'by ' || s.seqincrement, 'from ' || s.seqmin,
           'to ' || s.seqmax, 'cache ' || s.seqcache, case when s.seqcycle then 'cycle' end)
    from pg_sequence s join relation c on c.oid = s.seqrelid
    union all
    select 'pg_constraint'::regclass, k.oid, 0, pg_get_constraintdef(k.oid)
    from pg_constraint k join own_schema n on n.oid = k.connamespace
    union all
    select 'pg_trigger'::regclass, t.oid, 0, 'enabled ' || t.tgenabled::text || ', ' || pg_get_triggerdef(t.oid)
    from pg_trigger t join relation c on c.oid = t.tgrelid where not t.tgisinternal
    union all
    select 'pg_rewrite'::regclass, r.oid, 0, 'enabled ' || r.ev_enabled::text || ', ' || pg_get_ruledef(r.oid)
    from pg_rewrite r join relation c on c.oid = r.ev_class where r.rulename <> '_RETURN'
    union all
    select 'pg_policy'::regclass, p.oid, 0, concat_ws(', ',
           'for ' || p.polcmd::text, case when p.polpermissive then 'permissive' else 'restrictive' end,
           (select 'to ' || string_agg(r.name, ' ' order by r.name)
            from role_name r where r.oid = any(p.polroles)),
           'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p join relation c on c.oid = p.polrelid
    union all
    select 'pg_proc'::regclass, p.oid, 0, concat_ws(', ',
           'returns ' || pg_get_function_result(p.oid), 'language ' || l.lanname,
           'definition ' || md5(case p.prokind
                when 'a' then (select a::text from pg_aggregate a where a.aggfnoid = p.oid)
                else pg_get_functiondef(p.oid) end))
    from pg_proc p join own_schema n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    union all
    -- The types of tables and of arrays come and go with what they belong to.
    select 'pg_type'::regclass, t.oid, 0, concat_ws(', ',
           case t.typtype when 'b' then 'base' when 'd' then 'domain of ' || format_type(t.typbasetype, t.typtypmod)
                when 'e' then 'enum' when 'r' then 'range' when 'm' then 'multirange' else 'shell' end,
           case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
           (select string_agg(quote_literal(e.enumlabel), ' ' order by e.enumsortorder)
            from pg_enum e where e.enumtypid = t.oid),
           (select 'of ' || r.rngsubtype::regtype::text from pg_range r where r.rngtypid = t.oid))
    from pg_type t join own_schema n on n.oid = t.typnamespace
    where t.typrelid = 0 and not exists (select from pg_type e where e.typarray = t.oid)
    union all
    select 'pg_statistic_ext'::regclass, s.oid, 0, pg_get_statisticsobjdef(s.oid)
    from pg_statistic_ext s join own_schema n on n.oid = s.stxnamespace
    union all
    select 'pg_extension'::regclass, e.oid, 0, e.extversion || ' in ' || e.extnamespace::regnamespace::text
    from pg_extension e
    union all
    select 'pg_event_trigger'::regclass, e.oid, 0, concat_ws(', ',
           'enabled ' || e.evtenabled::text, e.evtevent, e.evttags::text, e.evtfoid::regprocedure::text)
    from pg_event_trigger e
    union all
    select 'pg_publication'::regclass, p.oid, 0, concat_ws(' ', md5((to_jsonb(p) - 'oid')::text),
           (select string_agg(r.prrelid::regclass::text, ' ') from pg_publication_rel r where r.prpubid = p.oid))
    from pg_publication p
    union all
    select 'pg_foreign_server'::regclass, s.oid, 0, s.srvoptions::text from pg_foreign_server s
    union all
    select 'pg_operator'::regclass, o.oid, 0, concat_ws(', ', o.oprcode::regprocedure::text,
           'restrict ' || nullif(o.oprrest, 0)::regproc::text, 'join ' || nullif(o.oprjoin, 0)::regproc::text)
    from pg_operator o join own_schema n on n.oid = o.oprnamespace
    union all
    select 'pg_cast'::regclass, c.oid, 0, concat_ws(' ', 'context', c.castcontext::text, 'method', c.castmethod::text,
           nullif(c.castfunc, 0)::regprocedure::text)
    from pg_cast c where c.oid >= 16384
    union all
    select 'pg_collation'::regclass, c.oid, 0, md5((to_jsonb(c) - 'oid' - 'collowner')::text)
    from pg_collation c join own_schema n on n.oid = c.collnamespace
    union all
    select 'pg_ts_config'::regclass, t.oid, 0,
           (select md5(string_agg(concat_ws(' ', m.maptokentype, m.mapdict::regdictionary), ', '
                                  order by m.maptokentype, m.mapseqno))
            from pg_ts_config_map m where m.mapcfg = t.oid)
    from pg_ts_config t join own_schema n on n.oid = t.cfgnamespace
    union all
    select 'pg_ts_dict'::regclass, d.oid, 0, concat_ws(' ', t.tmplname, d.dictinitoption)
    from pg_ts_dict d join pg_ts_template t on t.oid = d.dicttemplate join own_schema n on n.oid = d.dictnamespace
    union all
    select 'pg_default_acl'::regclass, d.oid, 0, d.defaclacl::text from pg_default_acl d
    union all
    -- 16384 is the first object id that is not the system's.
    select 'pg_am'::regclass, oid, 0, null from pg_am where oid >= 16384
    union all
    select 'pg_conversion'::regclass, oid, 0, null from pg_conversion where oid >= 16384
    union all
    select 'pg_foreign_data_wrapper'::regclass, oid, 0, null from pg_foreign_data_wrapper where oid >= 16384
    union all
    select 'pg_language'::regclass, oid, 0, null from pg_language where oid >= 16384
    union all
    select 'pg_opclass'::regclass, oid, 0, null from pg_opclass where oid >= 16384
    union all
    select 'pg_opfamily'::regclass, oid, 0, null from pg_opfamily where oid >= 16384
    union all
    select 'pg_transform'::regclass, oid, 0, null from pg_transform where oid >= 16384
    union all
    select 'pg_ts_parser'::regclass, oid, 0, null from pg_ts_parser where oid >= 16384
    union all
    select 'pg_ts_template'::regclass, oid, 0, null from pg_ts_template where oid >= 16384
),

access (classid, objid, objsubid, owner, acl) as (
    select 'pg_class'::regclass, c.oid, 0, c.relowner, c.relacl from relation c
    union all
    select 'pg_class'::regclass, c.oid, a.attnum, c.relowner, a.attacl
    from pg_attribute a join relation c on c.oid = a.attrelid
    union all
    select 'pg_namespace'::regclass, s.oid, 0, s.nspowner, s.nspacl from pg_namespace s join own_schema n using (oid)
    union all
    select 'pg_proc'::regclass, p.oid, 0, p.proowner, p.proacl
    from pg_proc p join own_schema n on n.oid = p.pronamespace
    union all
    select 'pg_type'::regclass, t.oid, 0, t.typowner, t.typacl
    from pg_type t join own_schema n on n.oid = t.typnamespace
)

select i.type || ' ' || i.identity || coalesce(': ' || nullif(p.detail, ''), '')
from part p cross join pg_identify_object(p.classid, p.objid, p.objsubid) i
where (p.classid, p.objid) not in (select classid, objid from member)
union all
select 'grant ' || a.privilege_type || ' on ' || i.type || ' ' || i.identity || ' to ' || r.name
from access x
cross join aclexplode(x.acl) a
cross join pg_identify_object(x.classid, x.objid, x.objsubid) i
join role_name r on r.oid = a.grantee
where a.grantee <> x.owner and (x.classid, x.objid) not in (select classid, objid from member)
union all
select 'setting ' || setting || case when s.setrole = 0 then ' of the database'
                                     when s.setdatabase = 0 then ' of the role'
                                     else ' of the role in the database' end
from pg_db_role_setting s cross join unnest(s.setconfig) setting
where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  and s.setrole in (0, (select oid from learner))
union all
select 'member ' || m.name || ' of ' || g.name
from pg_auth_members a join role_name m on m.oid = a.member join role_name g on g.oid = a.roleid
where (select oid from learner) in (a.member, a.roleid)
union all
select 'user mapping ' || r.name || ' on ' || u.srvname
from pg_user_mappings u join role_name r on r.oid = u.umuser
union all
select 'large objects: ' || count(*) from pg_largeobject_metadata having count(*) > 0
