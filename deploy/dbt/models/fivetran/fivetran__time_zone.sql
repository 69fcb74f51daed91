-- Rails' names, which Zendesk uses in schedules, and those of the tz database beside them.
select
    {{ fivetran_columns_of('time_zone', same=['time_zone', 'standard_offset'], made={'_fivetran_synced': 'null'}) }}
from {{ ref('time_zones') }}
