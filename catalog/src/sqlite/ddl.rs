//! The tables of a catalog: the 28 of the DuckLake 1.0 specification, column for column, and ours
//! beside them.
//!
//! Other readers address the specification's columns by position in places, so their order is part
//! of the layout. Our tables and indexes start with `wb_`; other readers pass over them.

/// The version of the specification that this layout is.
pub(super) const LAKE_VERSION: &str = "1.0";

/// The version of the `wb_` tables, raised by every change of them.
pub(super) const WB_VERSION: &str = "4";

/// The specification's tables.
pub(super) const LAKE_TABLES: &str = r#"
CREATE TABLE ducklake_metadata("key" VARCHAR NOT NULL, "value" VARCHAR NOT NULL, "scope" VARCHAR,
  scope_id BIGINT);
CREATE TABLE ducklake_snapshot(snapshot_id BIGINT PRIMARY KEY, snapshot_time VARCHAR,
  schema_version BIGINT, next_catalog_id BIGINT, next_file_id BIGINT);
CREATE TABLE ducklake_snapshot_changes(snapshot_id BIGINT PRIMARY KEY, changes_made VARCHAR,
  author VARCHAR, commit_message VARCHAR, commit_extra_info VARCHAR);
CREATE TABLE ducklake_schema(schema_id BIGINT PRIMARY KEY, schema_uuid VARCHAR,
  begin_snapshot BIGINT, end_snapshot BIGINT, schema_name VARCHAR, path VARCHAR,
  path_is_relative BIGINT);
CREATE TABLE ducklake_table(table_id BIGINT, table_uuid VARCHAR, begin_snapshot BIGINT,
  end_snapshot BIGINT, schema_id BIGINT, table_name VARCHAR, path VARCHAR,
  path_is_relative BIGINT);
CREATE TABLE ducklake_view(view_id BIGINT, view_uuid VARCHAR, begin_snapshot BIGINT,
  end_snapshot BIGINT, schema_id BIGINT, view_name VARCHAR, dialect VARCHAR, "sql" VARCHAR,
  column_aliases VARCHAR);
CREATE TABLE ducklake_tag(object_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT,
  "key" VARCHAR, "value" VARCHAR);
CREATE TABLE ducklake_column_tag(table_id BIGINT, column_id BIGINT, begin_snapshot BIGINT,
  end_snapshot BIGINT, "key" VARCHAR, "value" VARCHAR);
CREATE TABLE ducklake_data_file(data_file_id BIGINT PRIMARY KEY, table_id BIGINT,
  begin_snapshot BIGINT, end_snapshot BIGINT, file_order BIGINT, path VARCHAR,
  path_is_relative BIGINT, file_format VARCHAR, record_count BIGINT, file_size_bytes BIGINT,
  footer_size BIGINT, row_id_start BIGINT, partition_id BIGINT, encryption_key VARCHAR,
  mapping_id BIGINT, partial_max BIGINT);
CREATE TABLE ducklake_file_column_stats(data_file_id BIGINT, table_id BIGINT, column_id BIGINT,
  column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, min_value VARCHAR,
  max_value VARCHAR, contains_nan BIGINT, extra_stats VARCHAR);
CREATE TABLE ducklake_file_variant_stats(data_file_id BIGINT, table_id BIGINT, column_id BIGINT,
  variant_path VARCHAR, shredded_type VARCHAR, column_size_bytes BIGINT, value_count BIGINT,
  null_count BIGINT, min_value VARCHAR, max_value VARCHAR, contains_nan BIGINT,
  extra_stats VARCHAR);
CREATE TABLE ducklake_delete_file(delete_file_id BIGINT PRIMARY KEY, table_id BIGINT,
  begin_snapshot BIGINT, end_snapshot BIGINT, data_file_id BIGINT, path VARCHAR,
  path_is_relative BIGINT, format VARCHAR, delete_count BIGINT, file_size_bytes BIGINT,
  footer_size BIGINT, encryption_key VARCHAR, partial_max BIGINT);
CREATE TABLE ducklake_column(column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT,
  table_id BIGINT, column_order BIGINT, column_name VARCHAR, column_type VARCHAR,
  initial_default VARCHAR, default_value VARCHAR, nulls_allowed BIGINT, parent_column BIGINT,
  default_value_type VARCHAR, default_value_dialect VARCHAR);
CREATE TABLE ducklake_table_stats(table_id BIGINT, record_count BIGINT, next_row_id BIGINT,
  file_size_bytes BIGINT);
CREATE TABLE ducklake_table_column_stats(table_id BIGINT, column_id BIGINT, contains_null BIGINT,
  contains_nan BIGINT, min_value VARCHAR, max_value VARCHAR, extra_stats VARCHAR);
CREATE TABLE ducklake_partition_info(partition_id BIGINT, table_id BIGINT, begin_snapshot BIGINT,
  end_snapshot BIGINT);
CREATE TABLE ducklake_partition_column(partition_id BIGINT, table_id BIGINT,
  partition_key_index BIGINT, column_id BIGINT, "transform" VARCHAR);
CREATE TABLE ducklake_file_partition_value(data_file_id BIGINT, table_id BIGINT,
  partition_key_index BIGINT, partition_value VARCHAR);
CREATE TABLE ducklake_files_scheduled_for_deletion(data_file_id BIGINT, path VARCHAR,
  path_is_relative BIGINT, schedule_start VARCHAR);
CREATE TABLE ducklake_inlined_data_tables(table_id BIGINT, table_name VARCHAR,
  schema_version BIGINT);
CREATE TABLE ducklake_column_mapping(mapping_id BIGINT, table_id BIGINT, "type" VARCHAR);
CREATE TABLE ducklake_name_mapping(mapping_id BIGINT, column_id BIGINT, source_name VARCHAR,
  target_field_id BIGINT, parent_column BIGINT, is_partition BIGINT);
CREATE TABLE ducklake_schema_versions(begin_snapshot BIGINT, schema_version BIGINT,
  table_id BIGINT);
CREATE TABLE ducklake_macro(schema_id BIGINT, macro_id BIGINT, macro_name VARCHAR,
  begin_snapshot BIGINT, end_snapshot BIGINT);
CREATE TABLE ducklake_macro_impl(macro_id BIGINT, impl_id BIGINT, dialect VARCHAR, "sql" VARCHAR,
  "type" VARCHAR);
CREATE TABLE ducklake_macro_parameters(macro_id BIGINT, impl_id BIGINT, column_id BIGINT,
  parameter_name VARCHAR, parameter_type VARCHAR, default_value VARCHAR,
  default_value_type VARCHAR);
CREATE TABLE ducklake_sort_info(sort_id BIGINT, table_id BIGINT, begin_snapshot BIGINT,
  end_snapshot BIGINT);
CREATE TABLE ducklake_sort_expression(sort_id BIGINT, table_id BIGINT, sort_key_index BIGINT,
  expression VARCHAR, dialect VARCHAR, sort_direction VARCHAR, null_order VARCHAR);
"#;

/// Our tables.
///
/// - `wb_external_table`, `wb_external_column`: tables over files of others. They are not in
///   `ducklake_table`, where another reader would take them for empty ones.
/// - `wb_view_column`: the columns a view had when it was made; the specification keeps only SQL.
/// - `wb_column_detail`: of a managed column, the Arrow type where the specification's name gives
///   another one, and the default's SQL. The default is not in `ducklake_column` because DuckDB
///   refuses the whole catalog when it cannot parse one.
/// - the rest is unversioned: it describes the present, not a snapshot.
pub(super) const WB_TABLES: &str = r#"
CREATE TABLE wb_setting("key" VARCHAR PRIMARY KEY, "value" VARCHAR NOT NULL);
CREATE TABLE wb_external_table(table_id BIGINT NOT NULL, table_uuid VARCHAR NOT NULL,
  begin_snapshot BIGINT NOT NULL, end_snapshot BIGINT, schema_id BIGINT NOT NULL,
  table_name VARCHAR NOT NULL, format VARCHAR NOT NULL, location VARCHAR NOT NULL,
  partition_columns VARCHAR NOT NULL, options VARCHAR NOT NULL, secret VARCHAR,
  explicit_columns BIGINT NOT NULL, comment VARCHAR);
CREATE TABLE wb_external_column(table_id BIGINT NOT NULL, begin_snapshot BIGINT NOT NULL,
  end_snapshot BIGINT, column_order BIGINT NOT NULL, column_name VARCHAR NOT NULL,
  column_type VARCHAR NOT NULL, nulls_allowed BIGINT NOT NULL, default_value VARCHAR,
  comment VARCHAR);
CREATE TABLE wb_view_column(table_id BIGINT NOT NULL, begin_snapshot BIGINT NOT NULL,
  end_snapshot BIGINT, column_order BIGINT NOT NULL, column_name VARCHAR NOT NULL,
  column_type VARCHAR NOT NULL, nulls_allowed BIGINT NOT NULL, default_value VARCHAR,
  comment VARCHAR);
CREATE TABLE wb_column_detail(table_id BIGINT NOT NULL, column_id BIGINT NOT NULL,
  column_type VARCHAR, default_value VARCHAR, PRIMARY KEY (table_id, column_id));
CREATE TABLE wb_table_statistics(table_id BIGINT PRIMARY KEY, row_count BIGINT NOT NULL,
  computed_at VARCHAR NOT NULL);
CREATE TABLE wb_column_statistics(table_id BIGINT NOT NULL, column_name VARCHAR NOT NULL,
  distinct_count BIGINT, null_fraction DOUBLE NOT NULL, min_value VARCHAR, max_value VARCHAR,
  average_width DOUBLE NOT NULL, sketch BLOB, PRIMARY KEY (table_id, column_name));
CREATE TABLE wb_secret(name VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, "scope" VARCHAR,
  options VARCHAR NOT NULL);
CREATE TABLE wb_user(name VARCHAR PRIMARY KEY, password_hash VARCHAR NOT NULL);
"#;

/// Our tables about logins: API tokens by their hash, and what users may have of the server.
pub(super) const LOGIN_TABLES: &str = r#"
CREATE TABLE wb_token(hash VARCHAR PRIMARY KEY, user_name VARCHAR NOT NULL,
  name VARCHAR NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
  UNIQUE (user_name, name));
CREATE TABLE wb_limit(user_name VARCHAR NOT NULL, name VARCHAR NOT NULL,
  "value" VARCHAR NOT NULL, PRIMARY KEY (user_name, name));
"#;

/// Our tables about rights.
///
/// - `wb_role_member`, `wb_grant`: who was given what. `object_id` is that of a schema, table or view
///   and -1 of everything else; `column_name` is empty for a whole object.
/// - `wb_policy`: a row for each whom a row filter or column mask binds.
/// - `wb_invoker_view`: views that run with the rights of whoever reads them.
pub(super) const RIGHTS_TABLES: &str = r#"
CREATE TABLE wb_role(name VARCHAR PRIMARY KEY);
CREATE TABLE wb_role_member(role VARCHAR NOT NULL, member_kind VARCHAR NOT NULL,
  member VARCHAR NOT NULL, admin_option BIGINT NOT NULL, granted_by VARCHAR NOT NULL,
  PRIMARY KEY (role, member_kind, member));
CREATE TABLE wb_grant(grantee_kind VARCHAR NOT NULL, grantee VARCHAR NOT NULL,
  privilege VARCHAR NOT NULL, object_kind VARCHAR NOT NULL, object_id BIGINT NOT NULL,
  object_name VARCHAR NOT NULL, column_name VARCHAR NOT NULL, grantable BIGINT NOT NULL,
  granted_by VARCHAR NOT NULL, PRIMARY KEY (grantee_kind, grantee, privilege, object_kind,
  object_id, object_name, column_name));
CREATE TABLE wb_owner(object_id BIGINT PRIMARY KEY, owner_kind VARCHAR NOT NULL,
  owner VARCHAR NOT NULL);
CREATE TABLE wb_policy(table_id BIGINT NOT NULL, kind VARCHAR NOT NULL, name VARCHAR NOT NULL,
  column_name VARCHAR NOT NULL, expression VARCHAR NOT NULL, grantee_kind VARCHAR NOT NULL,
  grantee VARCHAR NOT NULL, PRIMARY KEY (table_id, kind, name, grantee_kind, grantee));
CREATE TABLE wb_invoker_view(view_id BIGINT PRIMARY KEY);
CREATE INDEX wb_grant_object ON wb_grant(object_id);
CREATE INDEX wb_role_member_member ON wb_role_member(member_kind, member);
INSERT INTO wb_role VALUES ('admin'), ('public');
"#;

/// Our tables about what came after roles: what each who has a role may have of the server, and which
/// client certificates are whose.
pub(super) const MEMBER_TABLES: &str = r#"
CREATE TABLE wb_role_limit(role VARCHAR NOT NULL, name VARCHAR NOT NULL,
  "value" VARCHAR NOT NULL, PRIMARY KEY (role, name));
CREATE TABLE wb_certificate(subject VARCHAR PRIMARY KEY, user_name VARCHAR NOT NULL);
"#;

/// What everybody may do in a new catalog: see schemas, call functions, change settings.
pub(super) const FIRST_GRANTS: &str = r#"
INSERT INTO wb_grant SELECT 'role', 'public', column1, 'catalog', -1, '', '', 0, ''
  FROM (VALUES ('USAGE'), ('EXECUTE'), ('SET'));
"#;

/// Our indexes; DuckDB makes none. The unique ones also stop what the commit path lets through by
/// mistake: one live object per name and kind, one live entry per file.
pub(super) const INDEXES: &str = r#"
CREATE UNIQUE INDEX wb_schema_live ON ducklake_schema(schema_name) WHERE end_snapshot IS NULL;
CREATE UNIQUE INDEX wb_table_live ON ducklake_table(schema_id, table_name)
  WHERE end_snapshot IS NULL;
CREATE UNIQUE INDEX wb_view_live ON ducklake_view(schema_id, view_name)
  WHERE end_snapshot IS NULL;
CREATE UNIQUE INDEX wb_external_live ON wb_external_table(schema_id, table_name)
  WHERE end_snapshot IS NULL;
CREATE INDEX wb_table_id ON ducklake_table(table_id);
CREATE INDEX wb_view_id ON ducklake_view(view_id);
CREATE INDEX wb_external_id ON wb_external_table(table_id);
CREATE INDEX wb_column_table ON ducklake_column(table_id);
CREATE INDEX wb_external_column_table ON wb_external_column(table_id);
CREATE INDEX wb_view_column_table ON wb_view_column(table_id);
CREATE INDEX wb_tag_object ON ducklake_tag(object_id);
CREATE INDEX wb_column_tag_table ON ducklake_column_tag(table_id);
CREATE INDEX wb_data_file_table ON ducklake_data_file(table_id, begin_snapshot);
CREATE INDEX wb_data_file_ended ON ducklake_data_file(table_id, end_snapshot)
  WHERE end_snapshot IS NOT NULL;
CREATE UNIQUE INDEX wb_data_file_live ON ducklake_data_file(table_id, path)
  WHERE end_snapshot IS NULL;
CREATE INDEX wb_delete_file_table ON ducklake_delete_file(table_id);
CREATE INDEX wb_file_stats_file ON ducklake_file_column_stats(data_file_id);
CREATE INDEX wb_file_stats_column ON ducklake_file_column_stats(table_id, column_id);
CREATE INDEX wb_partition_value_file ON ducklake_file_partition_value(data_file_id);
CREATE INDEX wb_partition_value_table ON ducklake_file_partition_value(table_id);
CREATE INDEX wb_partition_info_table ON ducklake_partition_info(table_id);
CREATE INDEX wb_partition_column_info ON ducklake_partition_column(partition_id);
CREATE INDEX wb_table_stats_table ON ducklake_table_stats(table_id);
CREATE INDEX wb_table_column_stats_table ON ducklake_table_column_stats(table_id, column_id);
CREATE INDEX wb_name_mapping_id ON ducklake_name_mapping(mapping_id);
CREATE INDEX wb_column_mapping_table ON ducklake_column_mapping(table_id);
CREATE INDEX wb_inlined_table ON ducklake_inlined_data_tables(table_id);
"#;
