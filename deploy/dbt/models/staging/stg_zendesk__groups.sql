{{ live('groups') }}
