{{ live('user_fields') }}
