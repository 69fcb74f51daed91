{{ live('ticket_comments') }}
