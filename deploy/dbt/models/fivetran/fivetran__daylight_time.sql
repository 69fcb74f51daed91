-- One row per stretch in which the clocks of a zone differ from its standard time by whole hours; of the tz database.
select
    {{ fivetran_columns_of('daylight_time',
        same=['time_zone', 'year', 'daylight_start_utc', 'daylight_end_utc', 'daylight_offset'],
        made={'_fivetran_synced': 'null'}) }}
from {{ ref('daylight_times') }}
