with organizations as (
    {{ rows_of('organizations', [['id', 'long'], ['domain_names', 'json']]) }}
)
select
    {{ fivetran_columns_of('domain_name', made={
        'domain_name': each_text(), 'index': each_place(), 'organization_id': 'organizations.' ~ name('id'),
    }) }}
from organizations
{{ each_of('organizations.' ~ name('domain_names')) }}
