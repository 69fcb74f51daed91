{{ live('sla_policies') }}
