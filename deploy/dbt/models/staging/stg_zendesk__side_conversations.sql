{{ live('side_conversations') }}
