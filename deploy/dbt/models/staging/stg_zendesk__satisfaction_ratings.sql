{{ live('satisfaction_ratings') }}
