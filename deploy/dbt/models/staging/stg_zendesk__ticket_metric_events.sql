{{ live('ticket_metric_events') }}
