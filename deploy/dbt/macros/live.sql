{# What every row carries beside its columns: name and type. #}
{% macro row_columns() %}
  {{ return([['received_at', 'timestamp'], ['_version', 'timestamp'], ['_extracted_at', 'timestamp'],
      ['_revision', 'long'], ['_loaded_at', 'timestamp']]) }}
{% endmacro %}

{# The mart's table, or none while nothing has been loaded into it: a loader makes a table with its first row. #}
{% macro mart_table(table) %}
  {% if not execute %}{{ return(none) }}{% endif %}
  {{ return(load_relation(source('zendesk', table))) }}
{% endmacro %}

{# A time without a zone, in UTC. #}
{% macro utc(expression) -%}
  {%- if target.type == 'postgres' -%}({{ expression }} at time zone 'UTC'){%- else -%}{{ expression }}{%- endif -%}
{%- endmacro %}

{#
  The rows of a table that are not deleted at Zendesk, as a SELECT: the catalog's columns in its order, then the
  account's custom fields, then what every row carries. Times are in UTC and have no zone. A table or a column that
  is not there yet gives nulls of the right type, so that a view over it stands from the first day.
#}
{% macro live(table, hide_tokens=none) %}
  {%- set hide = var('hide_tokens') if hide_tokens is none else hide_tokens -%}
  {%- set columns = catalog_columns()[table] -%}
  {%- set relation = mart_table(table) -%}
  {%- set held = [] if relation is none else adapter.get_columns_in_relation(relation) -%}
  {%- set held_names = held | map(attribute='name') | map('lower') | list -%}
  {%- set lines = [] -%}
  {%- for column in columns if not (hide and column.token) -%}
    {%- do lines.append(held_or_null(column.name, column.type, column.name in held_names)) -%}
  {%- endfor -%}
  {%- for column in held if (column.name | lower).startswith('custom_') -%}
    {%- set own = column.name | lower -%}
    {%- if own not in columns | map(attribute='name') | list and not (hide and is_token(relation, own)) -%}
      {%- do lines.append(own_column(column)) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for column, kind in row_columns() -%}
    {%- do lines.append(held_or_null(column, kind, column in held_names)) -%}
  {%- endfor -%}
  select
    {{ lines | join(',\n    ') }}
  {% if relation is not none -%}
  from {{ relation }}
  where not {{ name('_deleted') }}
  {%- else -%}
  {# The source is named, so that lineage is whole before the table is there. #}
  -- from {{ source('zendesk', table) }}, which is not there yet
  where false
  {%- endif %}
{% endmacro %}

{% macro held_or_null(column, kind, is_held) -%}
  {%- if not is_held -%}
    cast(null as {{ type_of(kind) }}) as {{ name(column) }}
  {%- elif kind == 'timestamp' and target.type == 'postgres' -%}
    {{ utc(name(column)) }} as {{ name(column) }}
  {%- else -%}
    {{ name(column) }}
  {%- endif -%}
{%- endmacro %}

{# A custom field's column, of the type that it has in the table. #}
{% macro own_column(column) -%}
  {%- set own = name(column.name | lower) -%}
  {%- if column.dtype == 'timestamp with time zone' -%}{{ utc(own) }} as {{ own }}{%- else -%}{{ own }}{%- endif -%}
{%- endmacro %}

{# Tells whether a column of a table holds tokens, as its comment says; used for custom fields alone. #}
{% macro is_token(relation, column) %}
  {%- if target.type == 'snowflake' -%}
    {%- set asked -%}
      select count(*) from {{ relation.information_schema('COLUMNS') }}
      where table_schema = '{{ relation.schema | upper }}' and table_name = '{{ relation.identifier | upper }}'
        and column_name = '{{ column | upper }}' and not coalesce(comment, '') like any ('%[none: clear]', '%: redact]', '%: coarse]', '%: drop]')
    {%- endset -%}
  {%- else -%}
    {%- set asked -%}
      select count(*) from pg_attribute where attrelid = '{{ relation }}'::regclass and attname = '{{ column }}'
        and coalesce(col_description(attrelid, attnum), '') !~ '(\[none: clear\]|: (redact|coarse|drop)\])$'
    {%- endset -%}
  {%- endif -%}
  {{ return(run_query(asked).rows[0][0] > 0) }}
{% endmacro %}
