{{ live('side_conversation_events') }}
