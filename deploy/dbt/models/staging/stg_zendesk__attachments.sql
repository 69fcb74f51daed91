{{ live('attachments') }}
