with brands as (
    {{ rows_of('brands', [
        ['id', 'long'], ['url', 'string'], ['name', 'string'], ['brand_url', 'string'], ['subdomain', 'string'],
        ['active', 'boolean'], ['default', 'boolean'], ['has_help_center', 'boolean'],
        ['help_center_state', 'string'], ['logo_url', 'string'],
    ], deleted=true) }}
)
select
    {{ fivetran_columns_of('brand', same=[
        'id', 'url', 'name', 'brand_url', 'subdomain', 'active', 'default', 'has_help_center', 'help_center_state',
    ], made={'logo_content_url': name('logo_url')}) }}
from brands
