{% set clocks = [
    'first_reply_time', 'next_reply_time', 'periodic_update_time', 'pausable_update_time', 'requester_wait_time',
    'agent_work_time', 'total_resolution_time',
] %}
select
    live.*,
    {% for clock in clocks -%}
    {{ 'or ' if not loop.first }}coalesce(live.{{ name(clock ~ '_stage') }} <> 'achieved' and live.{{ name(clock ~ '_breach_at') }} < {{ now_utc() }}, false)
    {% endfor -%}
    as {{ name('is_breached') }}
from (
{{ live('ticket_slas') }}
) as live
