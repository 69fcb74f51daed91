-- One row per interval of a week, in minutes since Sunday 00:00; in UTC by the zone's clocks as they are now.
with schedules as (
    {{ rows_of('schedules', [
        ['id', 'long'], ['name', 'string'], ['time_zone', 'string'], ['intervals', 'json'], ['created_at', 'timestamp'],
    ], deleted=true) }}
),
zones as (
    select
        zone.time_zone,
        60 * cast(substring(zone.standard_offset, 1, 3) as integer)
            + cast(substring(zone.standard_offset, 1, 1) || substring(zone.standard_offset, 5, 2) as integer)
            + 60 * coalesce(summer.daylight_offset, 0) as minutes_ahead
    from {{ ref('time_zones') }} as zone
    left join {{ ref('daylight_times') }} as summer
        on zone.time_zone = summer.time_zone
        and {{ now_utc() }} between summer.daylight_start_utc and summer.daylight_end_utc
),
intervals as (
    select
        schedules.{{ name('id') }}, schedules.{{ name('name') }}, schedules.{{ name('time_zone') }},
        schedules.{{ name('created_at') }}, schedules.{{ name('received_at') }}, schedules.{{ name('_deleted') }},
        cast({{ each_text('start_time') }} as integer) as starts,
        cast({{ each_text('end_time') }} as integer) as ends
    from schedules
    {{ each_of('schedules.' ~ name('intervals')) }}
)
select
    {{ fivetran_columns_of('schedule', same=['id', 'name', 'created_at'], made={
        'time_zone': 'intervals.' ~ name('time_zone'),
        'start_time': 'starts', 'end_time': 'ends',
        'start_time_utc': 'starts - zones.minutes_ahead', 'end_time_utc': 'ends - zones.minutes_ahead',
    }) }}
from intervals
left join zones on intervals.{{ name('time_zone') }} = zones.time_zone
