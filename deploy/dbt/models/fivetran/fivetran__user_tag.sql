with users as (
    {{ rows_of('users', [['id', 'long'], ['tags', 'json']]) }}
)
select
    {{ fivetran_columns_of('user_tag', made={'user_id': 'users.' ~ name('id'), 'tag': each_text()}) }}
from users
{{ each_of('users.' ~ name('tags')) }}
