{#
  PostgreSQL grants columns one by one, and to tables that are new only when someone does it. The set-up SQL
  (`zenfloe init --destination postgres`) makes procedures for that; where they are not there, nobody's rights change.
#}
{% macro has_procedure(called) %}
  {% if target.type != 'postgres' or not execute %}{{ return(false) }}{% endif %}
  {% set asked %}
    select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = '{{ var("mart_schema") }}' and p.proname = '{{ called }}' and has_function_privilege(p.oid, 'execute')
  {% endset %}
  {{ return(run_query(asked).rows[0][0] > 0) }}
{% endmacro %}

{% macro share_mart() %}
  {% if has_procedure('zenfloe_share') %}call {{ adapter.quote(var('mart_schema')) }}.zenfloe_share(){% endif %}
{% endmacro %}

{# Within the view's own transaction: readers never meet a view that is not theirs yet. #}
{% macro share_view() %}
  {% if has_procedure('zenfloe_share_own') %}
    call {{ adapter.quote(var('mart_schema')) }}.zenfloe_share_own('{{ this.schema }}', '{{ this.identifier }}')
  {% endif %}
{% endmacro %}
