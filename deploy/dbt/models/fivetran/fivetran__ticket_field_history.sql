-- What fields of a ticket were set to, and when. Of two changes of one field at one time the later is kept.
with events as (
    {{ rows_of('ticket_events', [
        ['id', 'long'], ['ticket_id', 'long'], ['timestamp', 'timestamp'], ['updater_id', 'long'],
        ['event_type', 'string'], ['field_name', 'string'], ['value', 'string'],
    ]) }}
),
changes as (
    select
        events.*,
        row_number() over (
            partition by {{ name('ticket_id') }}, {{ name('field_name') }}, {{ name('timestamp') }}
            order by {{ name('id') }} desc
        ) as newest
    from events
    where {{ name('event_type') }} in ('Create', 'Change') and {{ name('field_name') }} is not null
)
select
    {{ fivetran_columns_of('ticket_field_history', same=['ticket_id', 'field_name', 'value'], made={
        'updated': name('timestamp'), 'user_id': name('updater_id'),
    }) }}
from changes
where newest = 1
