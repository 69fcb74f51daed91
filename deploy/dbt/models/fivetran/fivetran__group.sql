with groups as (
    {{ rows_of('groups', [
        ['id', 'long'], ['url', 'string'], ['name', 'string'], ['created_at', 'timestamp'], ['updated_at', 'timestamp'],
    ], deleted=true) }}
)
select
    {{ fivetran_columns_of('group', same=['id', 'url', 'name', 'created_at', 'updated_at']) }}
from groups
