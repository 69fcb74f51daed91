{{ live('user_identities') }}
