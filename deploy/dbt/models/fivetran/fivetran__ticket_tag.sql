with tickets as (
    {{ rows_of('tickets', [['id', 'long'], ['tags', 'json']]) }}
)
select
    {{ fivetran_columns_of('ticket_tag', made={
        'ticket_id': 'tickets.' ~ name('id'), 'tag': each_text(), 'tags': each_text(),
    }) }}
from tickets
{{ each_of('tickets.' ~ name('tags')) }}
