select
    live.*,
    live.{{ name('role') }} in ('agent', 'admin') as {{ name('is_agent') }}
from (
{{ live('users') }}
) as live
