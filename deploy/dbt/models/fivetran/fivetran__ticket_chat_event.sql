-- Chats are not collected: the table is there, and empty.
select
    {{ fivetran_columns_of('ticket_chat_event') }}
from (select 1 as one) as nothing
where false
