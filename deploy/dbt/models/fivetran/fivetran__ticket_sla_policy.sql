with events as (
    {{ rows_of('ticket_metric_events', [
        ['ticket_id', 'long'], ['type', 'string'], ['time', 'timestamp'], ['sla_policy_id', 'long'],
    ]) }}
),
applied as (
    select
        {{ name('ticket_id') }}, {{ name('sla_policy_id') }}, {{ name('time') }},
        max({{ name('received_at') }}) as {{ name('received_at') }}
    from events
    where {{ name('type') }} = 'apply_sla' and {{ name('sla_policy_id') }} is not null
    group by {{ name('ticket_id') }}, {{ name('sla_policy_id') }}, {{ name('time') }}
)
select
    {{ fivetran_columns_of('ticket_sla_policy', same=['ticket_id', 'sla_policy_id'], made={
        'policy_applied_at': name('time'),
    }) }}
from applied
