{{ live('activities') }}
