{{ live('audit_logs') }}
