{{ live('ticket_skips') }}
