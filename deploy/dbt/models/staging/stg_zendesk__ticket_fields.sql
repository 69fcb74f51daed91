select
    live.*,
    case when live.{{ name('removable') }} then 'custom_' || live.{{ name('slug') }} end as {{ name('column_name') }}
from (
{{ live('ticket_fields') }}
) as live
