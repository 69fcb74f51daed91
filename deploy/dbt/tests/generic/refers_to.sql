{#
  Relationships: every id names a row of another table of the mart. Rows that are deleted at Zendesk count as named,
  and are kept there; ids below 1 are Zendesk's own actors. Passes while the other table is not there.
#}
{% test refers_to(model, column_name, table, column='id') %}
  {% set relation = mart_table(table) %}
  -- depends on {{ source('zendesk', table) }}
  select {{ name(column_name) }} as lost
  from {{ model }}
  where {{ name(column_name) }} > 0
  {% if relation is none %}
    and false
  {% else %}
    and not exists (select 1 from {{ relation }} as other where other.{{ name(column) }} = {{ model }}.{{ name(column_name) }})
  {% endif %}
{% endtest %}
