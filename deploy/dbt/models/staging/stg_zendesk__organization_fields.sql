{{ live('organization_fields') }}
