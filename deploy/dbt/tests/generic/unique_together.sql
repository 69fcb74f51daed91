{# No two rows hold the same in all of these columns. #}
{% test unique_together(model, columns) %}
  {% set names = [] %}
  {% for column in columns %}{% do names.append(name(column)) %}{% endfor %}
  select {{ names | join(', ') }}, count(*) as doubles
  from {{ model }}
  group by {{ names | join(', ') }}
  having count(*) > 1
{% endtest %}
