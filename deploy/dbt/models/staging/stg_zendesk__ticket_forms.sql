{{ live('ticket_forms') }}
