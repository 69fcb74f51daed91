{# Schemas are named as the variables say, without the profile's schema before them. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- set named = {'views': var('views_schema'), 'fivetran': var('fivetran_schema')} -%}
  {{- named.get(custom_schema_name, custom_schema_name) if custom_schema_name else target.schema -}}
{%- endmacro %}

{# A column's name, quoted: none is then a reserved word. Snowflake's are in capitals, so that people need no quotes. #}
{% macro name(column) -%}
  {{- adapter.quote(column | upper if target.type == 'snowflake' else column) -}}
{%- endmacro %}

{# The name of a type of the catalog. #}
{% macro type_of(kind) -%}
  {%- set snowflake = {'long': 'number(38,0)', 'double': 'float', 'boolean': 'boolean', 'string': 'varchar',
      'timestamp': 'timestamp_ntz', 'date': 'date', 'json': 'variant'} -%}
  {%- set postgres = {'long': 'bigint', 'double': 'double precision', 'boolean': 'boolean', 'string': 'text',
      'timestamp': 'timestamp', 'date': 'date', 'json': 'jsonb'} -%}
  {{- (snowflake if target.type == 'snowflake' else postgres)[kind] -}}
{%- endmacro %}

{# The present as a time without a zone, in UTC. #}
{% macro now_utc() -%}
  {{ "(current_timestamp at time zone 'UTC')" if target.type == 'postgres' else 'sysdate()' }}
{%- endmacro %}
