{{ live('ticket_events') }}
