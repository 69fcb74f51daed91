select
    live.*,
    live.{{ name('full_resolution_time_in_minutes_calendar') }} / 60.0 as {{ name('full_resolution_hours') }},
    live.{{ name('reply_time_in_minutes_calendar') }} / 60.0 as {{ name('first_reply_hours') }}
from (
{{ live('ticket_metrics') }}
) as live
