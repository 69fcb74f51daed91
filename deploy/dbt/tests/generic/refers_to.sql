{#
  Relationships: every id names a row of another table of the mart. Rows that are deleted at Zendesk count as named,
  and are kept there; ids below 1 are Zendesk's own actors. Passes while the other table is not there.
#}
{% test refers_to(model, column_name, table, column='id') %}
  {% set relation = mart_table(table) %}
  -- depends on {{ source('zendesk', table) }}
  with ours as (
      select {{ name(column_name) }} as named from {{ model }} where {{ name(column_name) }} > 0
  )
  select named
  from ours
  {% if relation is none %}
  where false
  {% else %}
  where not exists (select 1 from {{ relation }} as other where other.{{ name(column) }} = ours.named)
  {% endif %}
{% endtest %}
