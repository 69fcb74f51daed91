with users as (
    {{ rows_of('users', [
        ['id', 'long'], ['url', 'string'], ['name', 'string'], ['email', 'string'], ['phone', 'string'],
        ['alias', 'string'], ['external_id', 'string'], ['details', 'string'], ['notes', 'string'],
        ['signature', 'string'], ['role', 'string'], ['organization_id', 'long'], ['time_zone', 'string'],
        ['locale_id', 'long'], ['locale', 'string'], ['active', 'boolean'], ['verified', 'boolean'],
        ['suspended', 'boolean'], ['shared', 'boolean'], ['shared_agent', 'boolean'], ['moderator', 'boolean'],
        ['chat_only', 'boolean'], ['restricted_agent', 'boolean'], ['only_private_comments', 'boolean'],
        ['ticket_restriction', 'string'], ['two_factor_auth_enabled', 'boolean'], ['photo_url', 'string'],
        ['last_login_at', 'timestamp'], ['created_at', 'timestamp'], ['updated_at', 'timestamp'],
    ], deleted=true, custom=true) }}
)
select
    {{ fivetran_columns_of('user', same=[
        'id', 'url', 'name', 'email', 'phone', 'alias', 'external_id', 'details', 'notes', 'signature', 'role',
        'organization_id', 'time_zone', 'locale_id', 'locale', 'active', 'verified', 'suspended', 'shared',
        'shared_agent', 'moderator', 'chat_only', 'restricted_agent', 'only_private_comments', 'ticket_restriction',
        'two_factor_auth_enabled', 'last_login_at', 'created_at', 'updated_at',
    ], made={'remote_photo_url': name('photo_url')}) }}
    {{ custom_columns('users') }}
from users
