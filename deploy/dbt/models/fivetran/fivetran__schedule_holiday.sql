with holidays as (
    {{ rows_of('schedule_holidays', [
        ['id', 'long'], ['schedule_id', 'long'], ['name', 'string'], ['start_date', 'date'], ['end_date', 'date'],
    ], deleted=true) }}
)
select
    {{ fivetran_columns_of('schedule_holiday', same=['id', 'schedule_id', 'name', 'start_date', 'end_date']) }}
from holidays
