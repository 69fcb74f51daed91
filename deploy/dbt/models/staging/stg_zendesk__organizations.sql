{{ live('organizations') }}
