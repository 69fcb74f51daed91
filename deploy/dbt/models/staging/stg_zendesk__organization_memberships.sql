{{ live('organization_memberships') }}
