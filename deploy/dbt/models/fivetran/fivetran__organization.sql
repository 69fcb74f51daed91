with organizations as (
    {{ rows_of('organizations', [
        ['id', 'long'], ['url', 'string'], ['name', 'string'], ['details', 'string'], ['notes', 'string'],
        ['external_id', 'string'], ['group_id', 'long'], ['shared_tickets', 'boolean'], ['shared_comments', 'boolean'],
        ['domain_names', 'json'], ['tags', 'json'], ['created_at', 'timestamp'], ['updated_at', 'timestamp'],
    ], custom=true) }}
)
select
    {{ fivetran_columns_of('organization', same=[
        'id', 'url', 'name', 'details', 'notes', 'external_id', 'group_id', 'shared_tickets', 'shared_comments',
        'domain_names', 'tags', 'created_at', 'updated_at',
    ]) }}
    {{ custom_columns('organizations') }}
from organizations
