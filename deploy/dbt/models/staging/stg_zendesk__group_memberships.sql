{{ live('group_memberships') }}
