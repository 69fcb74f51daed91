{#
  Rows of a mart table as a SELECT of the columns given as [name, type], with those that every row carries. Deleted
  rows are among them where `deleted` says so, custom fields where `custom` does. A table or column that is not there gives nulls of its type.
#}
{% macro rows_of(table, columns, deleted=false, custom=false) %}
  {%- set relation = mart_table(table) -%}
  {%- set held = [] if relation is none else adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
  {%- set lines = [] -%}
  {%- for column, kind in columns + [['received_at', 'timestamp'], ['_deleted', 'boolean']] -%}
    {%- do lines.append(held_or_null(column, kind, column in held)) -%}
  {%- endfor -%}
  {%- for column in own_columns(table) if custom -%}
    {%- do lines.append(own_column(column)) -%}
  {%- endfor -%}
  select {{ lines | join(', ') }}
  {% if relation is not none -%}
  from {{ relation }} {{ 'where not ' ~ name('_deleted') if not deleted }}
  {%- else -%}
  -- from {{ source('zendesk', table) }}, which is not there yet
  where false
  {%- endif %}
{% endmacro %}

{#
  The columns of one of Fivetran's tables, in its order and types: `same` are taken as they are, `made` says how a
  column is made, all others are null. `_fivetran_synced` is when the record was received.
#}
{% macro fivetran_columns_of(table, same=[], made={}) -%}
  {%- for column, kind in fivetran_columns()[table] -%}
    {%- if column in made -%}{%- set value = made[column] -%}
    {%- elif column in same -%}{%- set value = name(column) -%}
    {%- elif column == '_fivetran_synced' and (same or made) -%}{%- set value = name('received_at') -%}
    {%- elif column == '_fivetran_deleted' and (same or made) -%}{%- set value = name('_deleted') -%}
    {%- else -%}{%- set value = 'null' -%}
    {%- endif %}
    cast({{ value }} as {{ type_of(kind) }}) as {{ name(column) }}{{ ',' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}

{# The columns of the account's own fields of a table. #}
{% macro own_columns(table) %}
  {%- set relation = mart_table(table) -%}
  {%- set known = catalog_columns()[table] | map(attribute='name') | list -%}
  {%- set own = [] -%}
  {%- for column in ([] if relation is none else adapter.get_columns_in_relation(relation)) -%}
    {%- if (column.name | lower).startswith('custom_') and column.name | lower not in known -%}
      {%- do own.append(column) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(own) }}
{% endmacro %}

{# The account's own fields of a table as they stand in `rows_of`, each with a comma before it. #}
{% macro custom_columns(table) -%}
  {%- for column in own_columns(table) %}
    , {{ name(column.name | lower) }}
  {%- endfor -%}
{%- endmacro %}
