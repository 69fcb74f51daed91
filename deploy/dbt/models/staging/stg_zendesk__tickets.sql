select
    live.*,
    live.{{ name('status') }} in ('solved', 'closed') as {{ name('is_solved') }},
    live.{{ name('assignee_id') }} is not null as {{ name('is_assigned') }},
    {{ json_length('live.' ~ name('tags')) }} as {{ name('tag_count') }}
from (
{{ live('tickets') }}
) as live
