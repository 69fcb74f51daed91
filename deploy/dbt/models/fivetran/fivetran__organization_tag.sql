with organizations as (
    {{ rows_of('organizations', [['id', 'long'], ['tags', 'json']]) }}
)
select
    {{ fivetran_columns_of('organization_tag', made={
        'organization_id': 'organizations.' ~ name('id'), 'tag': each_text(),
    }) }}
from organizations
{{ each_of('organizations.' ~ name('tags')) }}
