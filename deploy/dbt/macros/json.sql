{# The elements of a JSON array as rows, joined to the rows they stand in; null and what is no array give none. #}
{% macro each_of(array) -%}
  {%- if target.type == 'postgres' -%}
    cross join lateral jsonb_array_elements(
      case when jsonb_typeof({{ array }}) = 'array' then {{ array }} else '[]'::jsonb end
    ) with ordinality as each (value, place)
  {%- else -%}
    , lateral flatten(input => iff(is_array({{ array }}), {{ array }}, array_construct())) as each
  {%- endif -%}
{%- endmacro %}

{# The element of `each_of` as text, or a field of it. #}
{% macro each_text(field=none) -%}
  {%- if target.type == 'postgres' -%}
    {{ "(each.value #>> '{}')" if field is none else "(each.value ->> '" ~ field ~ "')" }}
  {%- else -%}
    {{ "each.value::varchar" if field is none else "each.value:" ~ field ~ "::varchar" }}
  {%- endif -%}
{%- endmacro %}

{# The place of the element of `each_of`, from 0. #}
{% macro each_place() -%}
  {{ "(each.place - 1)" if target.type == 'postgres' else "each.index" }}
{%- endmacro %}

{# A field of a JSON object as text. #}
{% macro json_text(object, field) -%}
  {%- if target.type == 'postgres' -%}({{ object }} ->> '{{ field }}'){%- else -%}{{ object }}:{{ field }}::varchar{%- endif -%}
{%- endmacro %}

{# The number of elements of a JSON array; of null, and of what is no array, null. #}
{% macro json_length(array) -%}
  {%- if target.type == 'postgres' -%}
    case when jsonb_typeof({{ array }}) = 'array' then jsonb_array_length({{ array }}) end
  {%- else -%}
    array_size({{ array }})
  {%- endif -%}
{%- endmacro %}
