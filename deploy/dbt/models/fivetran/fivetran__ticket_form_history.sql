-- The forms as they are now: what they were before the first load is not known to the API.
with forms as (
    {{ rows_of('ticket_forms', [
        ['id', 'long'], ['name', 'string'], ['display_name', 'string'], ['active', 'boolean'],
        ['end_user_visible', 'boolean'], ['created_at', 'timestamp'], ['updated_at', 'timestamp'],
    ], deleted=true) }}
)
select
    {{ fivetran_columns_of('ticket_form_history', same=[
        'id', 'name', 'display_name', 'active', 'end_user_visible', 'created_at', 'updated_at',
    ]) }}
from forms
